// Finds every small change to a source file that a test ought to notice, and takes samples of them.
import { parseAst } from "vitest/node";
import { type CodeChange, changesOf, isNode, type Node } from "./operators.ts";

export interface Mutant extends CodeChange {
  /** Counted from 1. */
  readonly line: number;
  /** The replaced text. */
  readonly original: string;
}

/** All mutants of a file, from top to bottom. */
export function findMutants(text: string): readonly Mutant[] {
  const program: unknown = parseAst(text, { lang: "ts", sourceType: "module" });
  if (!isNode(program)) throw new Error("unreachable: a parser without a program");
  const mutants: Mutant[] = [];
  walk(program, (node) => {
    for (const change of changesOf(node, text)) mutants.push(describe(change, text));
  });
  return mutants.sort((a, b) => a.start - b.start || a.end - b.end);
}

function describe(change: CodeChange, text: string): Mutant {
  const line = text.slice(0, change.start).split("\n").length;
  return { ...change, line, original: text.slice(change.start, change.end) };
}

/** The source with one change. */
export function applyChange(text: string, { start, end, replacement }: CodeChange): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

/** Identifies a mutant within a file: the same change at the same place. */
export function mutantKey({ start, end, replacement }: CodeChange): string {
  return `${start}-${end} ${replacement}`;
}

/** Nodes without an effect at run time, and fields that hold a name instead of a value. */
const TYPES_ALONE = /^(TS(?!AsExpression|NonNullExpression|SatisfiesExpression)|Import)/;
const NAMES: Readonly<Record<string, readonly string[]>> = {
  Property: ["key"],
  ExportNamedDeclaration: ["source"],
  ExportAllDeclaration: ["source"],
  TSAsExpression: ["typeAnnotation"],
  TSSatisfiesExpression: ["typeAnnotation"],
};

function walk(node: Node, visit: (node: Node) => void): void {
  if (TYPES_ALONE.test(node.type)) return;
  visit(node);
  const names = node.computed === true ? [] : (NAMES[node.type] ?? []);
  for (const [field, value] of Object.entries(node)) {
    if (names.includes(field)) continue;
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) walk(child, visit);
    }
  }
}

/** At most `count` of them, in their order; the same `seed` gives the same sample. */
export function sampleOf<T>(all: readonly T[], count: number, seed: number): readonly T[] {
  const random = createRandom(seed);
  const left = all.map((_, i) => i);
  const chosen: number[] = [];
  while (chosen.length < count && left.length > 0) {
    chosen.push(...left.splice(Math.floor(random() * left.length), 1));
  }
  return chosen
    .sort((a, b) => a - b)
    .flatMap((i) => {
      const it = all[i];
      return it === undefined ? [] : [it];
    });
}

/** mulberry32: numbers from 0 up to, but not including, 1. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
