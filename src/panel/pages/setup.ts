import { page } from './layout.ts'

/** The first-run page. The secret is in the fragment of its address, which browsers send to nobody. */
export const setupPage = page({
  title: 'Set up Pharos',
  script: '/setup.js',
  body: `<section id="form">
<h1>Set up this panel</h1>
<p>This makes the owner account and the first workspace. The link works once.</p>
<form>
<label>Your e-mail address <input name="email" type="email" autocomplete="username" required></label>
<label>A password <small>At least 10 characters.</small> <input name="password" type="password" autocomplete="new-password" minlength="10" maxlength="256" required></label>
<label>What the workspace is called <input name="workspace" maxlength="80" required></label>
<label>Its short name <small>It becomes part of host names: 2 to 32 lower-case letters and digits.</small> <input name="slug" pattern="[a-z][a-z0-9]{1,31}" maxlength="32" required></label>
<p role="alert"></p>
<button>Create</button>
</form>
</section>
<section id="done" hidden>
<h1>Done</h1>
<p>You are signed in. This API key is shown once; keep it:</p>
<pre id="key"></pre>
<p>On a machine with Pharos, tell the command line about it (it asks for the key), then see your servers:</p>
<pre id="commands"></pre>
</section>
<noscript><p>This page needs JavaScript. Without a browser: <code>pharos setup --help</code></p></noscript>`,
})

export const setupScript = `const form = document.querySelector('form')
const problem = document.querySelector('[role=alert]')
const button = document.querySelector('button')
const slug = form.elements.slug
let slugTyped = false
slug.addEventListener('input', () => { slugTyped = true })
form.elements.workspace.addEventListener('input', ({ target }) => {
  if (!slugTyped) slug.value = target.value.toLowerCase().replace(/[^a-z0-9]/g, '').replace(/^[0-9]+/, '').slice(0, 32)
})

const call = async (path, body) => {
  const reply = await fetch('/api/v1' + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const data = await reply.json()
  if (!reply.ok) throw new Error(data.message ?? 'The panel refused this (' + reply.status + ').')
  return data
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  problem.textContent = ''
  button.disabled = true
  const { email, password, workspace } = form.elements
  try {
    await call('/setup', {
      secret: location.hash.slice(1),
      email: email.value,
      password: password.value,
      workspace: { name: workspace.value, slug: slug.value },
    })
    history.replaceState(null, '', '/setup')
    const { token } = await call('/tokens', { label: 'first key' })
    document.querySelector('#key').textContent = token
    document.querySelector('#commands').textContent = 'pharos use ' + location.origin + '\\npharos servers list'
    document.querySelector('#form').hidden = true
    document.querySelector('#done').hidden = false
  } catch (error) {
    problem.textContent = error.message
    button.disabled = false
  }
})
if (location.hash.length < 2) problem.textContent = 'This page needs the whole link, as the panel prints it when it starts.'
`
