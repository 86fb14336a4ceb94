// Has V8 compile, while the executable is built, the functions that short commands use.
//
// V8 compiles a function when it is first called, and the code cache holds only what was compiled when the
// program had just been loaded: the functions that a parenthesis precedes, which V8 expects to be called at
// once. A look at a registry that finds nothing new calls some 400 functions of ours, and would compile them
// while it looks. So we write these functions of the bundle in that form. docs/executable.md has the gain.
//
// esbuild puts every function of a module at the top level of the bundle, and the module's other code into
// a function that runs when the module is first needed. `early-functions.txt` names both: a line
// `src/a.ts run` is a function, and `src/a.ts` alone is that other code.
import { Script } from "node:vm";

/** A part of the bundle that V8 compiles by itself. */
interface Unit {
  readonly module: string;
  /** Of a function, as the bundle has it; undefined for the other code of a module. */
  readonly name?: string;
  readonly start: number;
  readonly end: number;
}

const MODULE = /^\/\/ (\S+)$/;
const FUNCTION = /^(?:async )?function\*? ?([\w$]+)\(/;
const MODULE_CODE = /^ {2}(?:async )?"([^"]+)"\(.*\) \{$/;

/** The functions of the bundle that V8 entered, and the modules whose code it ran: lines for the list. */
export function nameUnits(
  bundle: string,
  isEntered: (start: number) => boolean,
): readonly string[] {
  const entered = findUnits(bundle).filter(({ start }) => isEntered(start));
  return [...new Set(entered.map(lineOf))].toSorted();
}

/** The bundle with every unit on the list compiled early, and how many these are. */
export function withEarlyFunctions(
  bundle: string,
  list: readonly string[],
): { readonly text: string; readonly count: number } {
  const wanted = new Set(list);
  const units = findUnits(bundle).filter((unit) => wanted.has(lineOf(unit)));
  const declared: string[] = [];
  const rest: string[] = [];
  let at = 0;
  for (const unit of units) {
    rest.push(bundle.slice(at, unit.start));
    const text = bundle.slice(unit.start, unit.end);
    if (unit.name === undefined) rest.push(asProperty(text));
    else declared.push(asVariable(unit.name, text));
    at = unit.end;
  }
  const body = `${rest.join("")}${bundle.slice(at)}`;
  const strict = '"use strict";\n';
  const head = body.startsWith(strict) ? strict.length : 0;
  // At the top, where declarations of functions take effect as well.
  const text = `${body.slice(0, head)}${declared.join("")}${body.slice(head)}`;
  return { text, count: units.length };
}

/** A number that esbuild appends to a name which another module has too depends on all other modules. */
function lineOf({ module, name }: Unit): string {
  return name === undefined ? module : `${module} ${name.replace(/\d+$/, "")}`;
}

/** Without a name of its own, a function gets that of its variable, and sees what others assign to it. */
function asVariable(name: string, text: string): string {
  return `var ${name} = (${text.replace(/^((?:async )?function\*?) ?[\w$]+\(/, "$1(")});\n`;
}

function asProperty(text: string): string {
  return `${text.replace(/^(async )?("[^"]+")\(/, "$2: ($1function(")})`;
}

/**
 * In the order of the bundle. What is inside is indented, so a unit ends at the next line that is not, unless
 * that line is in the middle of a text.
 */
function findUnits(bundle: string): readonly Unit[] {
  const units: Unit[] = [];
  let module = "";
  let open: (Omit<Unit, "end"> & { readonly lastLine: string }) | undefined;
  for (const { line, start, end } of linesOf(bundle)) {
    if (open !== undefined) {
      if (line !== open.lastLine) continue;
      const { lastLine: _, ...unit } = open;
      if (!isWhole(unit, bundle.slice(unit.start, end))) continue;
      units.push({ ...unit, end });
      open = undefined;
      continue;
    }
    module = MODULE.exec(line)?.[1] ?? module;
    const name = FUNCTION.exec(line)?.[1];
    if (name !== undefined) open = { module, name, start, lastLine: "}" };
    const own = MODULE_CODE.exec(line)?.[1];
    if (own !== undefined) open = { module: own, start: start + 2, lastLine: "  }" };
  }
  return units;
}

function isWhole({ name }: Pick<Unit, "name">, text: string): boolean {
  try {
    new Script(name === undefined ? `({ ${text} })` : `(${text})`);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function* linesOf(text: string) {
  let start = 0;
  while (start < text.length) {
    const newline = text.indexOf("\n", start);
    const end = newline === -1 ? text.length : newline;
    yield { line: text.slice(start, end), start, end };
    start = end + 1;
  }
}
