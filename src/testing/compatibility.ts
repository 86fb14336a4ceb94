// The rows of docs/compatibility.md, to compare them with the command line.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AnyCommand } from "../cli/commander.ts";
import { REINSTALL } from "../cli/verbs/reinstall.ts";

const STATUSES = ["same", "beyond", "other", "own", "missing"] as const;

export interface CompatibilityRow {
  /** As the page writes it: `bootc install to-disk`, `ostree container image list`. */
  readonly verb: string;
  readonly status: (typeof STATUSES)[number];
  readonly differences: string;
}

export function readCompatibility(): readonly CompatibilityRow[] {
  const page = readFileSync(join(import.meta.dirname, "../../docs/compatibility.md"), "utf8");
  return [...page.matchAll(/^\| `([^`]+)` \| (\S+) \| (.*?) ?\|$/gm)].map(
    ([, verb = "", word = "", differences = ""]) => {
      const status = STATUSES.find((it) => it === word);
      if (status === undefined) throw new Error(`the row of \`${verb}\` has no status \`${word}\``);
      return { verb, status, differences };
    },
  );
}

export interface Verb {
  /** As `CompatibilityRow.verb`. */
  readonly name: string;
  readonly command: AnyCommand;
}

/** Every command that does something, each once, by its name in the page. */
export function listVerbs(program: AnyCommand): readonly Verb[] {
  const found = new Map<string, AnyCommand>();
  const walk = (command: AnyCommand, path: readonly string[]) => {
    if (command.commands.length === 0) found.set(pageNameOf(path.join(" ")), command);
    for (const it of command.commands) walk(it, [...path, it.name()]);
  };
  walk(program, [program.name()]);
  return [...found].map(([name, command]) => ({ name, command }));
}

function pageNameOf(path: string): string {
  return path
    .replace(/^bootc internals (ostree-container|ostree-ext container) /, "ostree container ")
    .replace(/^bootc internals ostree-ext /, "ostree-ext ")
    .replace(`bootc ${REINSTALL}`, REINSTALL);
}
