import { readFileSync } from 'node:fs'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { say } from './npm.js'

/** Often enough not to be felt, seldom enough to cost nothing. */
const pollMs = 200

/**
 * Runs `work` while no other process does, so that two starts in one folder do not install over each other. A holder that
 * was killed is noticed.
 * @template T
 * @param {string} path the lock file
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function oneAtATime(path, work) {
  await mkdir(dirname(path), { recursive: true })
  let told = false
  for (;;) {
    const lock = await take(path)
    if (lock === 'taken') break
    if (lock === 'stale') continue
    if (!told) say('waiting for another start in this folder to finish installing …')
    told = true
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

/** @returns {Promise<'taken' | 'held' | 'stale'>} `stale`: its holder is gone, and so is the lock now */
async function take(path) {
  // A hard link appears whole or not at all: nobody can be killed between making the lock and writing who holds it.
  const mine = `${path}.${process.pid}`
  await writeFile(mine, identity(process.pid))
  try {
    await link(mine, path)
    return 'taken'
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  } finally {
    await rm(mine, { force: true })
  }
  const holder = await readFile(path, 'utf8').catch(() => '')
  if (holder === '') return 'held'
  if (identity(Number.parseInt(holder, 10)) === holder) return 'held'
  await rm(path, { force: true })
  return 'stale'
}

/** The process id and when that process began: a number alone comes back with another process, above all in containers. */
function identity(pid) {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (error.code !== 'EPERM') return 'gone'
  }
  try {
    const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)
    return `${pid} ${afterName.split(' ')[19]}`
  } catch {
    return `${pid} unknown`
  }
}
