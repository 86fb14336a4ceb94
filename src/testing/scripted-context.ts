// A context whose programs are scripted: an unscripted command fails, and so does an unused script line.
import type { Context, RunOptions } from "../system/context.ts";
import { formatCommand } from "../system/quote.ts";

/** A command as shown in the transcript (`? ` for read, `+ ` for run), and what it prints or does. */
export type ScriptLine = readonly [
  command: string,
  answer?: string | Error | ((options: RunOptions) => void | Promise<void>),
];

export interface Scripted {
  readonly ctx: Context;
  /** Commands and output in order, with `>` before our standard output and `!` before our remarks. */
  transcript(): string;
  /** Call this last: it throws when lines of the script were not used. */
  requireAllUsed(): void;
}

export interface ScriptedOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly isTerminal?: boolean;
}

/** Files are real, under `root`. Commands show `root` as `ROOT`, and temporary directories as `TMP`. */
export function scriptedContext(
  root: string,
  script: readonly ScriptLine[],
  options: ScriptedOptions = {},
): Scripted {
  const lines: string[] = [];
  const left = [...script];
  const play = async (sign: string, program: string, words: readonly string[], how: RunOptions) => {
    // Not to be had here, which sends callers to the commands they need without it.
    if (words.includes("experimental-image-proxy")) throw new Error("no image proxy");
    const command = `${sign} ${normalize(formatCommand(program, words), root)}`;
    lines.push(command);
    const [wanted, answer = ""] = left.shift() ?? ["nothing more"];
    if (wanted !== command) throw new Error(`the script has \`${wanted}\`, not \`${command}\``);
    if (answer instanceof Error) throw answer;
    if (typeof answer === "string") return answer;
    await answer(how);
    return "";
  };
  const ctx: Context = {
    root,
    env: options.env ?? {},
    isVerbose: false,
    signal: new AbortController().signal,
    terminal: {
      isStdoutTerminal: options.isTerminal ?? false,
      isStderrTerminal: false,
      hasColor: false,
      columns: 80,
    },
    say: (line) => void lines.push(`> ${line}`),
    write: (text) => void lines.push(`> ${text} (no newline)`),
    note: (line) => void lines.push(`! ${line}`),
    read: (program, words, how = {}) => play("?", program, words, how),
    run: async (program, words, how = {}) => void (await play("+", program, words, how)),
  };
  return {
    ctx,
    transcript: () => `\n${lines.join("\n")}\n`,
    requireAllUsed: () => {
      if (left.length > 0)
        throw new Error(`not run: ${left.map(([command]) => command).join(", ")}`);
    },
  };
}

function normalize(command: string, root: string): string {
  return command
    .replaceAll(root, "ROOT")
    .replaceAll(/\/[^ =]*\/bootc-(origin|edit)-[A-Za-z0-9]{6}/g, "TMP");
}
