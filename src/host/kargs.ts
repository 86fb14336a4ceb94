// Kernel arguments: splitting a command line, and the few operations everything else is made of.

/** One argument as written, quotes included. */
export type Karg = string;

/** Splits a command line at white space outside double quotes. */
export function parseKargs(text: string): readonly Karg[] {
  return text.match(/(?:"[^"]*"?|[^\s"])+/g) ?? [];
}

export function formatKargs(kargs: readonly Karg[]): string {
  return kargs.join(" ");
}

/** Adds those that are not there yet with the same key and value. */
export function addKargs(kargs: readonly Karg[], added: readonly Karg[]): readonly Karg[] {
  const result = [...kargs];
  for (const karg of added) {
    if (!result.some((it) => areEqualKargs(it, karg))) result.push(karg);
  }
  return result;
}

/** Drops those equal in key and value to one of `removed`. */
export function removeKargs(kargs: readonly Karg[], removed: readonly Karg[]): readonly Karg[] {
  return kargs.filter((it) => !removed.some((other) => areEqualKargs(it, other)));
}

/** Drops every argument with this key, whatever its value. */
export function removeKey(kargs: readonly Karg[], key: string): readonly Karg[] {
  const wanted = normalizeKey(key);
  return kargs.filter((it) => splitKarg(it).key !== wanted);
}

/** Equal in key and value; `-` and `_` are one in keys, outermost quotes do not count. */
export function areEqualKargs(a: Karg, b: Karg): boolean {
  const [left, right] = [splitKarg(a), splitKarg(b)];
  return left.key === right.key && left.value === right.value;
}

interface SplitKarg {
  readonly key: string;
  /** Undefined without `=`, which is not the same as an empty value. */
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
