import { page } from './layout.ts'

/** Where an invitation's link leads. The secret is in the fragment of its address, which browsers send to nobody. */
export const invitationPage = page({
  title: 'Join on Pharos',
  script: '/invitation.js',
  body: `<section id="form">
<h1>Accept the invitation</h1>
<p>Choose a password for your account here, or prove the one that you have. The link works once.</p>
<form>
<label>Password <small>At least 10 characters.</small> <input name="password" type="password" autocomplete="new-password" minlength="10" maxlength="256" required></label>
<label>What people call you <small>Only for a new account; may be left empty.</small> <input name="person" maxlength="80" autocomplete="name"></label>
<p role="alert"></p>
<button>Join</button>
</form>
</section>
<section id="done" hidden>
<h1>Welcome</h1>
<p id="account"></p>
<form id="workspace" hidden>
<p>What you were invited to waits for you. API keys, tunnels and servers of your own need a workspace; make one now, or later.</p>
<label>What the workspace is called <input name="workspace" maxlength="80" required></label>
<label>Its short name <small>It becomes part of host names: 2 to 32 lower-case letters and digits.</small> <input name="slug" pattern="[a-z][a-z0-9]{1,31}" maxlength="32" required></label>
<p role="alert"></p>
<button>Make the workspace</button>
</form>
<p id="key-note" hidden>You are signed in. This API key is shown once; keep it, then tell the command line about it (it asks for the key):</p>
<pre id="key" hidden></pre>
<pre id="commands" hidden></pre>
</section>
<noscript><p>This page needs JavaScript.</p></noscript>`,
})

export const invitationScript = `const form = document.querySelector('form')
const problem = document.querySelector('[role=alert]')
const button = document.querySelector('button')
const show = (id, text) => {
  const element = document.querySelector(id)
  if (text !== undefined) element.textContent = text
  element.hidden = false
}
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

const showKey = async () => {
  const { token } = await call('/tokens', { label: 'first key' })
  show('#key-note')
  show('#key', token)
  show('#commands', 'pharos use ' + location.origin + '\\npharos servers list')
}

const workspaceForm = document.querySelector('#workspace')
workspaceForm.addEventListener('submit', async (event) => {
  event.preventDefault()
  const wrong = workspaceForm.querySelector('[role=alert]')
  const make = workspaceForm.querySelector('button')
  wrong.textContent = ''
  make.disabled = true
  const { workspace, slug } = workspaceForm.elements
  try {
    await call('/workspaces', { name: workspace.value, slug: slug.value })
    workspaceForm.hidden = true
    await showKey()
  } catch (error) {
    wrong.textContent = error.message
    make.disabled = false
  }
})

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  problem.textContent = ''
  button.disabled = true
  const { password, person } = form.elements
  try {
    const name = person.value.trim()
    const account = await call('/invitations/accept', {
      secret: location.hash.slice(1),
      password: password.value,
      ...(name === '' ? {} : { name }),
    })
    history.replaceState(null, '', '/invitation')
    document.querySelector('#form').hidden = true
    show('#account', 'You are ' + account.email + '.')
    show('#done')
    // Who was given a server but belongs to no workspace has nothing that a key could belong to.
    if (account.workspaces.length > 0) await showKey()
    else show('#workspace')
  } catch (error) {
    problem.textContent = error.message
    button.disabled = false
  }
})
if (location.hash.length < 2) problem.textContent = 'This page needs the whole link of the invitation.'
`
