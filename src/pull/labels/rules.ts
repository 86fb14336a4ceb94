// The files of a policy's contexts as lists of rules, from which files with some of the rules can be made.
import { fixedPrefix } from "./fixed-prefix.ts";

/** The contents of `contexts/files`, by name. */
export type ContextFiles = ReadonlyMap<string, Uint8Array>;

export interface Rule {
  /** Its place among all rules. */
  readonly index: number;
  readonly bytes: Uint8Array;
  /** All paths that it matches begin so. */
  readonly prefix: string;
}

export interface PolicyRules {
  readonly rules: readonly Rule[];
  /** Paths that are looked up under other names, by where they begin. */
  readonly aliases: ReadonlyMap<string, string>;
  /**
   * The files with these rules alone, which are given in their order. libselinux refuses compiled files
   * without rules, so only the main one may have none.
   */
  format(some: readonly Rule[]): ContextFiles;
}

/** Undefined when a file has a form that cannot be divided. */
export function readRules(files: ContextFiles): PolicyRules | undefined {
  const rules: Rule[] = [];
  const others = new Map<string, Uint8Array>();
  const aliases = new Map<string, string>();
  const ruleFiles: RuleFile[] = [];
  for (const [name, content] of files) {
    const bytes = Buffer.from(content.buffer, content.byteOffset, content.length);
    if (name.includes(".subs")) {
      if (!readAliases(bytes, aliases)) return undefined;
      others.set(name, content);
      continue;
    }
    const found = name.endsWith(".bin") ? parseCompiled(bytes) : parseText(bytes);
    if (found === undefined) return undefined;
    const start = rules.length;
    for (const it of found.rules) {
      rules.push({ index: rules.length, bytes: it.bytes, prefix: fixedPrefix(it.regex) });
    }
    ruleFiles.push({ name, start, end: rules.length, head: found.head });
  }
  const format = (some: readonly Rule[]) => {
    const isNeeded = (it: RuleFile) =>
      it.head === undefined || it.name === "file_contexts.bin" || ownRules(it, some).length > 0;
    const needed = ruleFiles.filter(isNeeded);
    return new Map([...needed.map((it) => [it.name, formatFile(it, some)] as const), ...others]);
  };
  return { rules, aliases, format };
}

interface RuleFile {
  readonly name: string;
  /** Its rules among all rules. */
  readonly start: number;
  readonly end: number;
  /** What comes before the number of rules in a compiled file; undefined in a text. */
  readonly head: Buffer | undefined;
}

function ownRules({ start, end }: RuleFile, some: readonly Rule[]): readonly Rule[] {
  return some.filter(({ index }) => index >= start && index < end);
}

function formatFile(file: RuleFile, some: readonly Rule[]): Uint8Array {
  const { head } = file;
  const own = ownRules(file, some).map((it) => it.bytes);
  if (head === undefined) return Buffer.concat(own);
  const count = Buffer.alloc(4);
  count.writeUInt32LE(own.length);
  return Buffer.concat([head, count, ...own]);
}

interface Parsed {
  readonly head: Buffer | undefined;
  readonly rules: readonly { readonly regex: string; readonly bytes: Buffer }[];
}

/**
 * Lines as libselinux reads them: an expression, perhaps a type, and a label, with blanks in between. The
 * last line of a file may lack its end; among fewer lines, too, it is the last one.
 */
function parseText(bytes: Buffer): Parsed | undefined {
  if (bytes.includes(0)) return undefined;
  const rules = [];
  for (let start = 0, end = 0; start < bytes.length; start = end) {
    const newline = bytes.indexOf(0x0a, start);
    end = newline < 0 ? bytes.length : newline + 1;
    const line = bytes.subarray(start, end);
    const [, regex = "#"] = /^[ \t\v\f\r]*([^ \t\v\f\r\n]+)/.exec(line.toString("latin1")) ?? [];
    if (!regex.startsWith("#")) rules.push({ regex, bytes: line });
  }
  return { head: undefined, rules };
}

const MAGIC = 0xf97cff8a;
/** Version 4 and older lack a field. Version 6 has no list of rules; a libselinux that reads it is fast. */
const VERSION = 5;

/**
 * In place of a compiled expression, as by `sefcontext_compile -r`: libselinux compiles the text. Expressions
 * are most of such a file, and PCRE would trust their bytes.
 */
const NO_EXPRESSION = Buffer.alloc(4);

/** Compiled contexts, in the form that the sources of libselinux describe (`sefcontext_compile.c`). */
function parseCompiled(bytes: Buffer): Parsed | undefined {
  const reader = createReader(bytes);
  if (reader.number() !== MAGIC || reader.number() !== VERSION) return undefined;
  reader.skip(reader.number()); // the version of PCRE
  reader.skip(reader.number()); // the architecture
  for (let left = reader.number(); left > 0 && !reader.isOver(); left--) {
    reader.skip(reader.number() + 1); // a stem
  }
  const head = bytes.subarray(0, reader.at());
  const rules = [];
  for (let left = reader.number(); left > 0 && !reader.isOver(); left--) {
    const start = reader.at();
    reader.skip(reader.number()); // the label
    const regex = reader.text(reader.number());
    reader.skip(16); // the type of file, the stem, whether it is a pattern, the length of its prefix
    const kept = bytes.subarray(start, reader.at());
    reader.skip(reader.number()); // the compiled expression
    if (regex === undefined) return undefined;
    rules.push({ regex, bytes: Buffer.concat([kept, NO_EXPRESSION]) });
  }
  return reader.at() === bytes.length ? { head, rules } : undefined;
}

/** Reads zeros beyond the end, and is over then. */
function createReader(bytes: Buffer) {
  let at = 0;
  const skip = (length: number) => {
    at += length;
  };
  return {
    at: () => at,
    isOver: () => at > bytes.length,
    skip,
    number(): number {
      skip(4);
      return at <= bytes.length ? bytes.readUInt32LE(at - 4) : 0;
    },
    /** Without the NUL byte at its end, which must be there. */
    text(length: number): string | undefined {
      skip(length);
      return bytes[at - 1] === 0 ? bytes.toString("latin1", at - length, at - 1) : undefined;
    },
  };
}

/** Adds the aliases in a file of substitutions. False when one is out of the ordinary. */
function readAliases(bytes: Buffer, aliases: Map<string, string>): boolean {
  for (const line of bytes.toString("latin1").split("\n")) {
    const [from = "#", to = ""] = line.split(/[ \t\v\f\r]+/).filter((it) => it !== "");
    if (from.startsWith("#")) continue;
    if (![from, to].every(isPlainPath)) return false;
    // Which of the two counts depends on libselinux.
    if ((aliases.get(from) ?? to) !== to) return false;
    aliases.set(from, to);
  }
  return true;
}

function isPlainPath(path: string): boolean {
  return /^(?:\/[\w.+@%~=,:-]+)+$/.test(path);
}
