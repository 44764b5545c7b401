'use strict'

const list = document.getElementById('messages')
const form = document.getElementById('form')
const known = new Set()

// What people write is text: it is never parsed as HTML.
function show (message) {
  if (known.has(message.id)) return
  known.add(message.id)
  const item = document.createElement('li')
  item.textContent = `${message.nick}: ${message.text}`
  list.append(item)
}

form.addEventListener('submit', async event => {
  event.preventDefault()
  const answer = await fetch('messages', { method: 'POST', body: new URLSearchParams(new FormData(form)) })
  if (answer.ok) form.reset()
  else alert(await answer.text())
})

// Live first, history then: nothing falls between the two, and what comes by both is shown once.
const live = new EventSource('live')
const early = []
let hold = true
live.onmessage = event => {
  const message = JSON.parse(event.data)
  if (hold) early.push(message)
  else show(message)
}
live.addEventListener('open', async () => {
  if (!hold) return
  for (const message of await (await fetch('messages')).json()) show(message)
  hold = false
  early.forEach(show)
})
