// Finds imports that the table of folders does not allow, and circles of imports.
import { dirname, join, normalize } from "node:path";
import type { Folder } from "./folder.ts";
import { ALWAYS, DOORS, FOLDERS, STARTING } from "./folders.ts";

/** Tests and their helpers may import more; the product may not import them. */
export const TEST_FILE = /\.test\.ts$|^src\/testing\/|^tests\//;

export interface SourceFile {
  /** Relative to the checkout. */
  readonly path: string;
  readonly text: string;
}

/** Imports that the table does not allow, one line each. */
export function findImportViolations(
  { path, text }: SourceFile,
  folders: Readonly<Record<string, Folder>> = FOLDERS,
): readonly string[] {
  if (TEST_FILE.test(path)) return [];
  const from = dirname(path);
  const folder = folders[from];
  if (folder === undefined) return [`${path}: ${from} is not in the table of folders`];
  return importsOf({ path, text }).flatMap((target) =>
    isAllowed(from, folder, target) ? [] : [`${path}: ${from} may not import ${target}`],
  );
}

function isAllowed(from: string, folder: Folder, target: string): boolean {
  if (ALWAYS.includes(target)) return true;
  if (TEST_FILE.test(target)) return /^bench(\/|$)/.test(from);
  const door = DOORS[target];
  if (door !== undefined) return door.includes(from);
  if (!/^(src|xtask|bench)\//.test(target)) return true;
  if (folder.mayImport.includes(target)) return true;
  const to = dirname(target);
  return to === from ? folder.isApart !== true : folder.mayImport.includes(to);
}

/** Lines of the product that start a program outside the folders meant for it. */
export function findProgramStarts({ path, text }: SourceFile): readonly string[] {
  if (!path.startsWith("src/") || STARTING.test(path) || TEST_FILE.test(path)) return [];
  return text.split("\n").flatMap((line, i) => {
    if (!/\bctx(, \w+)?\)?\.(run|read)\(/.test(line)) return [];
    return [`${path}:${i + 1}: only src/programs, src/process and src/system may start programs`];
  });
}

/** What the file imports: paths relative to the checkout, and names of packages. */
export function importsOf({ path, text }: SourceFile): readonly string[] {
  const specifiers = text.matchAll(
    /(?:(?:^|\s)(?:import|from|import\()\s*\(?|getBuiltinModule\()"([^"]+)"/gm,
  );
  return [...specifiers].map(([, name = ""]) =>
    name.startsWith(".") ? normalize(join(dirname(path), name)) : name,
  );
}

/** Every circle of imports among `files`, one line each, starting with its first file by name. */
export function findCircles(files: readonly SourceFile[]): readonly string[] {
  const graph = new Map(files.map((file) => [file.path, importsOf(file)]));
  return findComponents(graph)
    .filter((it) => it.length > 1)
    .map((component) => describeCircle(component, graph));
}

/** The shortest path from the first file back to itself. */
function describeCircle(
  component: readonly string[],
  graph: ReadonlyMap<string, readonly string[]>,
): string {
  const [start = ""] = [...component].sort();
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const path of queue) {
    for (const next of graph.get(path) ?? []) {
      if (next === start) return formatCircle(start, path, cameFrom);
      if (!component.includes(next) || cameFrom.has(next)) continue;
      cameFrom.set(next, path);
      queue.push(next);
    }
  }
  throw new Error(`unreachable: ${start} is not in a circle`);
}

function formatCircle(start: string, last: string, cameFrom: ReadonlyMap<string, string>): string {
  const way = [start];
  for (let path = last; path !== start; path = cameFrom.get(path) ?? start) way.splice(1, 0, path);
  return `${start}: a circle of imports: ${[...way, start].join(" -> ")}`;
}

interface Walk {
  readonly graph: ReadonlyMap<string, readonly string[]>;
  readonly order: Map<string, number>;
  readonly stack: string[];
  readonly components: string[][];
}

/** Tarjan's strongly connected components. */
function findComponents(
  graph: ReadonlyMap<string, readonly string[]>,
): readonly (readonly string[])[] {
  const walk: Walk = { graph, order: new Map(), stack: [], components: [] };
  for (const path of graph.keys()) if (!walk.order.has(path)) visit(walk, path);
  return walk.components;
}

function visit(walk: Walk, path: string): number {
  const { graph, order, stack, components } = walk;
  const number = order.size;
  order.set(path, number);
  stack.push(path);
  let low = number;
  for (const next of graph.get(path) ?? []) {
    if (!graph.has(next)) continue;
    if (!order.has(next)) low = Math.min(low, visit(walk, next));
    else if (stack.includes(next)) low = Math.min(low, order.get(next) ?? low);
  }
  if (low === number) components.push(stack.splice(stack.indexOf(path)));
  return low;
}
