import type { VariableRule } from '../../contract/template.ts'
import { compilePattern } from '../../lib/pattern.ts'

type Tell = { changed(message: string): void; dropped(message: string): void }

/** The longest text that a variable takes where its rules name no length. */
const textMax = 4096

/** Whole numbers beyond these are no setting of any game. */
const integerMax = 999_999_999_999_999

/** What kind of value the rules speak of: it decides what `min` and `between` count. */
type Kind = 'text' | 'integer' | 'number' | 'boolean'

const kinds: Readonly<Record<string, Kind>> = {
  string: 'text',
  integer: 'integer',
  int: 'integer',
  numeric: 'number',
  decimal: 'number',
  boolean: 'boolean',
  bool: 'boolean',
}

/** Rules that say what a text looks like. */
const shapes: Readonly<Record<string, string>> = {
  alpha: '[\\pL\\pM]*',
  alpha_num: '[\\pL\\pM\\pN]*',
  alpha_dash: '[\\pL\\pM\\pN_-]*',
  ascii: '[ -~]*',
  lowercase: '[^\\p{Lu}]*',
  uppercase: '[^\\p{Ll}]*',
  url: '[A-Za-z][A-Za-z0-9+.-]*://\\S+',
  active_url: '[A-Za-z][A-Za-z0-9+.-]*://\\S+',
  email: '[^\\s@]+@[^\\s@]+',
  ip: '(?:\\d{1,3}(?:\\.\\d{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)',
  ipv4: '\\d{1,3}(?:\\.\\d{1,3}){3}',
  ipv6: '[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*',
  uuid: '[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}',
  hex_color: '#(?:[0-9A-Fa-f]{3}){1,2}',
}

/** They hold for every value of ours, or speak of a request rather than a value. */
const idle = new Set(['sometimes', 'bail', 'present', 'filled'])

interface Read {
  kind: Kind | null
  required: boolean
  nullable: boolean
  min: number | null
  max: number | null
  choices: string[] | null
  patterns: string[]
}

/**
 * Our rule for Laravel's, such as `required|string|max:20`. What has no counterpart is told and does not hold.
 * @param initial the value that the egg gives first: it shows how it writes truth values.
 */
export function ruleOf(rules: readonly string[], initial: string, tell: Tell): VariableRule {
  const read: Read = { kind: null, required: false, nullable: false, min: null, max: null, choices: null, patterns: [] }
  for (const rule of rules) {
    const name = (rule.split(':', 1)[0] ?? '').trim().toLowerCase()
    if (Object.hasOwn(kinds, name)) read.kind = kinds[name] ?? null
  }
  for (const rule of rules) take(rule, read, tell)
  const optional = read.required ? {} : { optional: true }
  if (read.choices) {
    const of = [...new Set(read.choices)].filter((choice) => choice.length <= 200).slice(0, 200)
    if (of.length > 0) return { type: 'choice', of, ...optional }
  }
  switch (read.kind ?? 'text') {
    case 'boolean': {
      const of = initial === 'true' || initial === 'false' ? ['true', 'false'] : ['1', '0']
      tell.changed(`boolean: one of ${of.join(' and ')}, since games read texts`)
      return { type: 'choice', of, ...optional }
    }
    case 'integer': {
      const [min, max] = ordered(read.min, read.max, -integerMax, integerMax)
      return { type: 'integer', min: Math.ceil(min), max: Math.floor(max), ...optional }
    }
    case 'number': {
      const [min, max] = ordered(read.min, read.max, -integerMax, integerMax)
      return { type: 'number', min, max, ...optional }
    }
    case 'text': {
      const [min, max] = ordered(read.min, read.max, 0, textMax)
      const [pattern, ...patterns] = read.patterns
      return {
        type: 'text',
        min: clamp(Math.max(Math.ceil(min), read.required ? 1 : 0), 0, textMax),
        max: clamp(Math.floor(max), 1, textMax),
        ...(pattern === undefined ? {} : { pattern }),
        ...(patterns.length === 0 ? {} : { patterns: patterns.slice(0, 10) }),
        ...optional,
      }
    }
  }
}

function take(rule: string, read: Read, tell: Tell): void {
  const colon = rule.indexOf(':')
  const name = (colon === -1 ? rule : rule.slice(0, colon)).trim().toLowerCase()
  const argument = colon === -1 ? '' : rule.slice(colon + 1)
  const isNumber = read.kind === 'integer' || read.kind === 'number'
  if (Object.hasOwn(kinds, name) || idle.has(name)) return
  if (Object.hasOwn(shapes, name)) {
    read.patterns.push(shapes[name] as string)
    return
  }
  switch (name) {
    case 'required':
      read.required = true
      return
    case 'nullable':
      read.nullable = true
      return
    case 'min':
    case 'gte':
      bound(rule, argument, (value) => (read.min = value), tell)
      return
    case 'max':
    case 'lte':
      bound(rule, argument, (value) => (read.max = value), tell)
      return
    case 'gt':
      bound(rule, argument, (value) => (read.min = value + (read.kind === 'number' ? Number.MIN_VALUE : 1)), tell)
      return
    case 'lt':
      bound(rule, argument, (value) => (read.max = value - (read.kind === 'number' ? Number.MIN_VALUE : 1)), tell)
      return
    case 'size':
      bound(rule, argument, (value) => (read.min = read.max = value), tell)
      return
    case 'between': {
      const [low = '', high = ''] = argument.split(',')
      bound(rule, low, (value) => (read.min = value), tell)
      bound(rule, high, (value) => (read.max = value), tell)
      return
    }
    case 'digits':
    case 'digits_between': {
      const [low = '', high = low] = argument.split(',')
      if (!/^\d{1,3}$/.test(low.trim()) || !/^\d{1,3}$/.test(high.trim())) {
        tell.dropped(`rule ${rule}: it names no length`)
        return
      }
      const [least, most] = [Number(low), Math.min(Number(high), 15)]
      if (isNumber) {
        read.min ??= least <= 1 ? 0 : 10 ** (least - 1)
        read.max ??= 10 ** most - 1
      } else read.patterns.push(`[0-9]{${Math.min(least, most)},${Math.max(Number(high), least)}}`)
      return
    }
    case 'in':
      read.choices = argument.split(',').map((choice) => choice.trim().replace(/^"(.*)"$/, '$1'))
      return
    case 'starts_with':
      read.patterns.push(`(?s:(?:${argument.split(',').map(literal).join('|')}).*)`)
      return
    case 'ends_with':
      read.patterns.push(`(?s:.*(?:${argument.split(',').map(literal).join('|')}))`)
      return
    case 'regex':
      regex(argument, read, tell)
      return
    default:
      tell.dropped(`rule ${rule}: there is nothing like it here, so values are not held against it`)
  }
}

function bound(rule: string, text: string, set: (value: number) => void, tell: Tell): void {
  if (/^\s*-?\d{1,15}(\.\d{1,15})?\s*$/.test(text)) set(Number(text))
  else tell.dropped(`rule ${rule}: ${text === '' ? 'it names no number' : `${text} is no number`}`)
}

/** `/^[a-z]+$/i`: PHP's delimiters and modifiers around a pattern that may match anywhere in the value. */
function regex(argument: string, read: Read, tell: Tell): void {
  const [, , inner, modifiers] = /^([/#~!@%])(.*)\1([a-zA-Z]*)$/s.exec(argument.trim()) ?? [null, null, argument, '']
  const flags = [...(modifiers ?? '')].filter((flag) => 'ims'.includes(flag)).join('')
  const source = wholeOf((inner ?? '').replace(/\\\//g, '/'), flags)
  try {
    compilePattern(source)
    read.patterns.push(source)
  } catch (error) {
    tell.dropped(
      `rule regex:${argument}: ${error instanceof Error ? error.message : 'it is no pattern'}; values are not held against it`,
    )
  }
}

/** The same as a pattern of the whole value. */
function wholeOf(source: string, flags: string): string {
  const [, body] = /^\^((?:[^\\|]|\\.|\([^()]*\))*)\$$/s.exec(source) ?? []
  const isPlain = body !== undefined && !hasBareBar(body) && flags === ''
  if (isPlain) return body === '' ? '()' : body
  return `[\\s\\S]*(?${flags}:${source})[\\s\\S]*`
}

/** A bar outside of all brackets: `^a|b$` has another meaning than `^(a|b)$`. */
function hasBareBar(body: string): boolean {
  let depth = 0
  for (const [token] of body.matchAll(/\\.|\[(?:\\.|[^\]])*\]|[(|)]/gs)) {
    if (token === '(') depth += 1
    else if (token === ')') depth -= 1
    else if (token === '|' && depth === 0) return true
  }
  return false
}

const literal = (text: string): string => text.trim().replace(/[.*+?^$|()[\]{}\\]/g, '\\$&')
const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value))

function ordered(min: number | null, max: number | null, low: number, high: number): [number, number] {
  const [from, to] = [clamp(min ?? low, low, high), clamp(max ?? high, low, high)]
  return from <= to ? [from, to] : [to, from]
}
