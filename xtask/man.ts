// `xtask man`: writes a man page for every command, from the definitions that parse the command line, and
// one for every kind of file that people write.
import { join, relative, resolve } from "node:path";
import type { AnyCommand } from "../src/cli/commander.ts";
import { createProgram } from "../src/cli/program.ts";
import { type CommandTree, readCommandTree } from "../src/cli/tree.ts";
import { REINSTALL } from "../src/cli/verbs/reinstall.ts";
import { type Checkout, readCheckout } from "./checkout/checkout.ts";
import { formatFormatPage } from "./man/format-page.ts";
import { FORMATS } from "./man/formats.ts";
import { type GeneratedFiles, requireFresh, writeGenerated } from "./man/generated.ts";
import { formatPage, pageName } from "./man/page.ts";
import { defineTask, type Tree } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .option("--out <folder>", "folder to write to; target/man by default")
      .option("--check", "write nothing, and fail if the folder is not up to date")
      .addHelpText("after", "\nExamples:\n  npm run xtask man\n  npm run xtask -- man --check"),
  async run(tree, options) {
    const checkout = await readCheckout(tree, { allowDirty: true });
    const files = formatPages(readPrograms(createProgram(tree.ctx)), checkout);
    const folder = options.out === undefined ? manFolder(tree) : resolve(options.out);
    if (options.check === true) await requireFresh(folder, files, "npm run xtask man");
    else await writeGenerated(folder, files);
    return relative(tree.top, folder);
  },
});

export function manFolder({ top }: Tree): string {
  return join(top, "target", "man");
}

/** The command line of each name that people start the program by. */
export function readPrograms(program: AnyCommand): readonly CommandTree[] {
  const own = program.commands.filter((it) => it.name() === REINSTALL);
  return [readCommandTree(program), ...own.map((it) => readCommandTree(it))];
}

/** All pages by file name, such as `bootc-status.8`. */
export function formatPages(
  programs: readonly CommandTree[],
  { version, commitEpoch }: Pick<Checkout, "version" | "commitEpoch">,
): GeneratedFiles {
  const pagesOf = (it: CommandTree, above: CommandTree | undefined): [string, string][] => [
    [`${pageName(it)}.8`, formatPage(it, above, { version, epoch: commitEpoch })],
    ...it.subcommands.flatMap((below) => pagesOf(below, it)),
  ];
  const ofFiles = FORMATS.map(
    (it) => [`${it.name}.5`, formatFormatPage(it, { version, epoch: commitEpoch })] as const,
  );
  return new Map([...programs.flatMap((it) => pagesOf(it, undefined)), ...ofFiles]);
}
