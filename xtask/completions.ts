// `xtask completions`: writes the completion scripts, with the names that the shells look for.
import { join, relative, resolve } from "node:path";
import { createProgram } from "../src/cli/program.ts";
import { SHELLS } from "../src/cli/verbs/completion.ts";
import { type GeneratedFiles, requireFresh, writeGenerated } from "./man/generated.ts";
import { defineTask, type Tree } from "./task.ts";

/** The path of each shell's script below the folder. */
const FILES: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: "bash/bootc",
  zsh: "zsh/_bootc",
  fish: "fish/bootc.fish",
  elvish: "elvish/bootc.elv",
  powershell: "powershell/bootc.ps1",
};

export const task = defineTask({
  declare: (command) =>
    command
      .option("--out <folder>", "folder to write to; target/completions by default")
      .option("--check", "write nothing, and fail if the folder is not up to date")
      .addHelpText("after", "\nExamples:\n  npm run xtask completions"),
  async run(tree, options) {
    const files = await readScripts(tree);
    const folder =
      options.out === undefined ? join(tree.top, "target", "completions") : resolve(options.out);
    if (options.check === true) await requireFresh(folder, files, "npm run xtask completions");
    else await writeGenerated(folder, files);
    return relative(tree.top, folder);
  },
});

/** What `bootc completion SHELL` prints. */
async function readScripts(tree: Tree): Promise<GeneratedFiles> {
  const files = new Map<string, string>();
  for (const shell of SHELLS) {
    let text = "";
    const say = (line: string) => {
      text += `${line}\n`;
    };
    const program = createProgram({ ...tree.ctx, say });
    await program.parseAsync(["completion", shell], { from: "user" });
    files.set(FILES[shell], text);
  }
  return files;
}
