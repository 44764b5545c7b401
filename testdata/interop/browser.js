// The program in a page of Chromium, headless: told and telling as main.js, with the same flags. CHROMIUM names the
// browser, else it is Debian's.
//
//	node browser.js --network NAME

import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { readFlags } from './flags.js'
import { readCommand } from './lines.js'

const patience = 120_000 // ms, for a browser on a busy machine
const tell = line => process.stdout.write(JSON.stringify(line) + '\n')

async function bundle () {
  const { outputFiles: [file] } = await build({
    entryPoints: [new URL('page.js', import.meta.url).pathname],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    define: { global: 'globalThis' }
  })
  return file.contents
}

// A page has to come from the loopback: Chromium lets no other open connections to it.
function serve (script) {
  const server = createServer((request, response) => {
    const js = request.url === '/page.js'
    response.setHeader('content-type', js ? 'text/javascript' : 'text/html; charset=utf-8')
    response.end(js ? script : '<!doctype html><title>Parley</title><script src="/page.js"></script>')
  })
  return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server)))
}

const server = await serve(await bundle())
const browser = await chromium.launch({
  timeout: patience,
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-component-update', '--disable-sync'] // over those that it has by itself
})
const page = await browser.newPage()
for (const name of ['console', 'pageerror']) page.on(name, what => console.error(name, what.text?.() ?? what))
await page.exposeFunction('tell', tell)
await page.goto(`http://127.0.0.1:${server.address().port}/`, { timeout: patience })
await page.evaluate(flags => window.parley.start(flags), readFlags())
for await (const line of createInterface({ input: process.stdin })) {
  const command = readCommand(line, tell)
  if (command != null) await page.evaluate(command => window.parley.run(command), command)
}
await page.evaluate(() => window.parley.stop())
await browser.close()
server.close()
