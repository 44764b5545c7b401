// Lines of stdin, as both programs, main.js and browser.js, read them.

/** Reads a line of stdin: a command, or null for an empty line. What is neither is told as failed. */
export function readCommand (line, tell) {
  if (line.trim() === '') return null
  try {
    const c = JSON.parse(line)
    if (typeof c?.do === 'string') return c
  } catch {}
  tell({ failed: null, why: 'not a command: {"do": WHAT, …}' })
  return null
}
