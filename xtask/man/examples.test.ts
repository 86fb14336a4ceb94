// Every page of section 8 that is about a command with something to do shows how it is called.
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import type { AnyCommand } from "../../src/cli/commander.ts";
import { argvOfProcess } from "../../src/cli/names.ts";
import { createProgram } from "../../src/cli/program.ts";
import { allCommands } from "../../src/cli/tree.ts";
import { createContext } from "../../src/system/run.ts";
import { readPrograms } from "../man.ts";

const programs = () => readPrograms(createProgram(createContext()));

/** The commands in a page's examples, each as its words; continued lines are one. */
function readExamples(text: string): readonly (readonly string[])[] {
  const [, examples = ""] = text.split(/^Examples:$/m);
  const lines = examples.replaceAll(/\\\n\s*/g, "").split("\n");
  return lines
    .flatMap((it) => it.split(/&&|\||>/))
    .flatMap(
      (it) => /(?:^|\s)((?:bootc|ostree container|system-reinstall-bootc) .*)/.exec(it)?.[1] ?? [],
    )
    .map((it) =>
      execFileSync("sh", ["-c", `printf '%s\\n' ${it}`], { encoding: "utf8" })
        .trimEnd()
        .split("\n"),
    );
}

/** What a shell would start; ostree calls its extension by that name. */
function argvOf(words: readonly string[]): readonly string[] {
  const [program = "", ...rest] = words;
  return program === "ostree"
    ? argvOfProcess("ostree-container", rest)
    : argvOfProcess(program, rest);
}

const all = programs()
  .flatMap(allCommands)
  .filter((it) => it.subcommands.length === 0);

test.each(all.map((it) => ({ name: it.path.join(" "), text: it.afterText })))(
  "the examples of $name are understood",
  async ({ name, text }) => {
    const examples = readExamples(text);
    expect(examples, "it has an example").not.toEqual([]);
    for (const words of examples) {
      let ran: string | undefined;
      const program = createProgram(createContext());
      replaceActions(program, (command) => {
        ran = pathOf(command);
      });
      await program.parseAsync([...argvOf(words)], { from: "user" });
      expect(ran, words.join(" ")).toBe(name);
    }
  },
);

function replaceActions(command: AnyCommand, action: (command: AnyCommand) => void): void {
  if (command.commands.length === 0) command.action(() => action(command));
  for (const it of command.commands) replaceActions(it, action);
}

function pathOf(command: AnyCommand): string {
  const path = command.parent === null ? "" : `${pathOf(command.parent)} `;
  return `${path}${command.name()}`.replace(/^bootc system-/, "system-");
}
