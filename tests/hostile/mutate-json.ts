// Damages JSON documents: their content, and their text.
import { type Mutant, mutateBytes, pick, type Random } from "./mutate-tar.ts";

type Json = unknown;

const ODD: readonly Json[] = [
  null,
  true,
  -1,
  0,
  1.5,
  2 ** 53,
  1e300,
  "",
  "x",
  " ",
  "\u0000",
  "a\nb\u001b[31m",
  "\ud800",
  "\u202e\u{1f4a9}",
  "x".repeat(1 << 20),
  [],
  {},
  [[]],
  [null],
  { a: 1 },
  "sha256:ab",
  `sha256:${"0".repeat(64)}`,
  `sha512:${"0".repeat(128)}`,
  "../../../etc/passwd",
  "2026-13-45T99:99:99Z",
];

const KEYS = [
  "",
  "__proto__",
  "constructor",
  "toString",
  "\u0000",
  "SIZE",
  "digest ",
  "🙂",
  "length",
];

/** Numbers and notations that none of our documents uses. */
const RAW = [
  "1e999",
  "-1e999",
  "-0",
  "123456789012345678901234567890",
  "0.1e-400",
  "NaN",
  "Infinity",
  "01",
  "+1",
  "'x'",
  '"\\ud800"',
  '"\\x"',
  '"\u0001"',
  "undefined",
  "[".repeat(100_000),
  `${"[".repeat(5000)}${"]".repeat(5000)}`,
  `${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`,
];

const SIZE_MAX = 200_000;

/** Damages the content of `document`, or its text, in one to three ways. */
export function mutateDocument(document: Json, random: Random): Mutant {
  const done: string[] = [];
  let made = structuredClone(document);
  const isOfText = random(3) === 0;
  const count = isOfText ? random(2) : 1 + random(3);
  for (let i = 0; i < count; i++) {
    const [next, what] = mutateValue(made, random);
    made = next;
    done.push(what);
    // Copies of copies would take longer to make than to read.
    if ((JSON.stringify(made)?.length ?? 0) > SIZE_MAX) break;
  }
  const text = Buffer.from(JSON.stringify(made) ?? "");
  if (!isOfText) return { bytes: text, done };
  const mutant = mutateText(text, random);
  return { bytes: mutant.bytes, done: [...done, ...mutant.done] };
}

type Path = readonly (string | number)[];

/** All places that are not nested deeper than in any real document. */
function pathsOf(value: Json, depth = 0): Path[] {
  if (typeof value !== "object" || value === null || depth > 20) return [];
  const entries: [string | number, Json][] = Array.isArray(value)
    ? value.map((it, i) => [i, it])
    : Object.entries(value);
  return entries.flatMap(([key, it]) => [
    [key],
    ...pathsOf(it, depth + 1).map((path) => [key, ...path]),
  ]);
}

function mutateValue(document: Json, random: Random): readonly [Json, string] {
  const paths = pathsOf(document);
  if (paths.length === 0) return [pick(ODD, random), "another document"];
  const path = pick(paths, random);
  const shown = JSON.stringify(path);
  const holder = path.slice(0, -1).reduce<Json>((at, key) => (at as Container)[key], document);
  const change = pick([replace, replace, remove, rename, wrap, repeat, exchange], random);
  return [document, `${change(holder as Container, path.at(-1) ?? "", random)} ${shown}`];
}

type Container = Record<string | number, Json>;

function replace(holder: Container, key: string | number, random: Random): string {
  holder[key] = structuredClone(pick(ODD, random));
  return `${JSON.stringify(holder[key])?.slice(0, 40)} for`;
}

function remove(holder: Container, key: string | number): string {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete holder[key];
  return "without";
}

function rename(holder: Container, key: string | number, random: Random): string {
  if (Array.isArray(holder)) return remove(holder, key);
  const name = pick(KEYS, random);
  // An assignment to `__proto__` would not make it a key.
  Object.defineProperty(holder, name, {
    value: holder[key],
    enumerable: true,
    configurable: true,
    writable: true,
  });
  if (name !== key) delete holder[key];
  return `${JSON.stringify(name)} for the key`;
}

function wrap(holder: Container, key: string | number, random: Random): string {
  const depth = pick([1, 50, 1000, 2000], random);
  for (let i = 0; i < depth; i++) holder[key] = i % 2 === 0 ? [holder[key]] : { a: holder[key] };
  return `${depth} levels around`;
}

function repeat(holder: Container, key: string | number, random: Random): string {
  const count = pick([2, 100, 3000], random);
  const copies = Array.from({ length: count }, () => holder[key]);
  if (Array.isArray(holder)) holder.splice(Number(key), 1, ...copies);
  else holder[key] = copies;
  return `${count} times`;
}

function exchange(holder: Container, key: string | number, random: Random): string {
  const keys = Object.keys(holder);
  const other = pick(keys, random);
  [holder[key], holder[other]] = [holder[other], holder[key]];
  return `the value of ${JSON.stringify(other)} exchanged with that of`;
}

type TextMutation = (text: string, random: Random) => readonly [string, string];

const TEXT_MUTATIONS: readonly TextMutation[] = [
  (text) => [`\ufeff${text}`, "a byte-order mark"],
  (text) => [`${text}garbage`, "garbage behind it"],
  (text) => [`${text}${text}`, "twice"],
  (text) => [text.replace(/}$/, ",}"), "a comma too many"],
  (text) => [`/* comment */${text}`, "a comment"],
  (text) => [`${" ".repeat(1 << 20)}${text}`, "a megabyte of blanks"],
  (text) => [text.replaceAll('"', "'"), "other quotes"],
  () => ["", "nothing at all"],
  (text) => [JSON.stringify(JSON.stringify(text)), "as a string"],
  duplicateKey,
  duplicateKey,
  duplicateKey,
  rawValue,
  rawValue,
  rawValue,
];

function mutateText(text: Buffer, random: Random): Mutant {
  if (random(3) === 0) return mutateBytes(text, random);
  const [made, what] = pick(TEXT_MUTATIONS, random)(text.toString(), random);
  return { bytes: Buffer.from(made), done: [what] };
}

/** Repeats a key in the text, before or after the existing one, with an odd value. */
function duplicateKey(text: string, random: Random): readonly [string, string] {
  const keys = [...text.matchAll(/"[^"\\]*":/g)];
  if (keys.length === 0) return [text, "nothing"];
  const { 0: key, index } = pick(keys, random);
  const value = random(2) === 0 ? pick(RAW, random) : JSON.stringify(pick(ODD, random));
  return [
    `${text.slice(0, index)}${key}${value},${text.slice(index)}`,
    `${key} twice, first ${value.slice(0, 40)}`,
  ];
}

function rawValue(text: string, random: Random): readonly [string, string] {
  const values = [...text.matchAll(/(?<=:)("[^"\\]*"|-?\d+)/g)];
  if (values.length === 0) return [text, "nothing"];
  const { 0: value, index } = pick(values, random);
  const raw = pick(RAW, random);
  return [
    text.slice(0, index) + raw + text.slice(index + value.length),
    `${raw.slice(0, 40)} for ${value.slice(0, 40)}`,
  ];
}
