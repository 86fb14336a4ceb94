// Kernel arguments: how to split a command line, and the basic operations on its arguments.

/** One argument as written, including quotes. */
export type Karg = string;

/** Splits a command line at white space outside double quotes. */
export function parseKargs(text: string): readonly Karg[] {
  return text.match(/(?:"[^"]*"?|[^\s"])+/g) ?? [];
}

export function formatKargs(kargs: readonly Karg[]): string {
  return kargs.join(" ");
}

/** Adds every argument of `added` whose key and value are not present yet. */
export function addKargs(kargs: readonly Karg[], added: readonly Karg[]): readonly Karg[] {
  const result = [...kargs];
  for (const karg of added) {
    if (!result.some((it) => areEqualKargs(it, karg))) result.push(karg);
  }
  return result;
}

/** Drops every argument that equals one of `removed` in key and value. */
export function removeKargs(kargs: readonly Karg[], removed: readonly Karg[]): readonly Karg[] {
  return kargs.filter((it) => !removed.some((other) => areEqualKargs(it, other)));
}

/** Drops every argument with this key, whatever its value. */
export function removeKey(kargs: readonly Karg[], key: string): readonly Karg[] {
  const wanted = normalizeKey(key);
  return kargs.filter((it) => splitKarg(it).key !== wanted);
}

/** Compares key and value; keys do not distinguish `-` from `_`, and outermost quotes do not count. */
export function areEqualKargs(a: Karg, b: Karg): boolean {
  const [left, right] = [splitKarg(a), splitKarg(b)];
  return left.key === right.key && left.value === right.value;
}

interface SplitKarg {
  readonly key: string;
  /** Undefined when there is no `=`, which differs from an empty value. */
  readonly value: string | undefined;
}

function splitKarg(karg: Karg): SplitKarg {
  const text = unquote(karg);
  const equals = text.indexOf("=");
  if (equals < 0) return { key: normalizeKey(text), value: undefined };
  return { key: normalizeKey(text.slice(0, equals)), value: unquote(text.slice(equals + 1)) };
}

function normalizeKey(key: string): string {
  return key.replaceAll("-", "_");
}

function unquote(text: string): string {
  return /^"[^"]*"$/.test(text) ? text.slice(1, -1) : text;
}
