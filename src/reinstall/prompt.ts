// Questions to a person at a terminal, or to whatever answers on standard input.
import { createInterface } from "node:readline";
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";

export interface Prompt {
  /** Writes `text` and returns the next line of input; undefined at its end. */
  ask(text: string): Promise<string | undefined>;
  /** Returns when a line comes, or after this time. */
  waitForLine(text: string, timeoutMs: number): Promise<void>;
  close(): void;
}

export function openPrompt(ctx: Context): Prompt {
  const input = createInterface({ input: process.stdin });
  const lines = input[Symbol.asyncIterator]();
  const aborted = new Promise<never>((_, reject) => {
    ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason), { once: true });
  });
  aborted.catch(() => undefined); // whoever asks at that time gets it
  const next = async () => {
    const line = await Promise.race([lines.next(), aborted]);
    return line.done === true ? undefined : line.value;
  };
  return {
    async ask(text) {
      ctx.write(text);
      const answer = await next();
      if (answer === undefined) ctx.say("");
      return answer;
    },
    async waitForLine(text, timeoutMs) {
      ctx.say(text);
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs);
      });
      // The end of input is not a line: nobody is there to press a key.
      const line = next().then((it) => (it === undefined ? timeout : undefined));
      try {
        await Promise.race([line, timeout, aborted]);
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => input.close(),
  };
}

/** Asks until the answer is yes or no; an empty one is the default, in capitals. */
export async function askYesNo(
  prompt: Prompt,
  question: string,
  { isDefaultYes }: { readonly isDefaultYes: boolean },
): Promise<boolean> {
  for (;;) {
    const answer = await prompt.ask(`${question} [${isDefaultYes ? "Y/n" : "y/N"}] `);
    if (answer === undefined) throw noAnswer();
    const word = answer.trim().toLowerCase();
    if (word === "") return isDefaultYes;
    if (["y", "yes"].includes(word)) return true;
    if (["n", "no"].includes(word)) return false;
  }
}

/** Asks for some of `choices` by their numbers; an empty answer is none of them. */
export async function askSome<T>(
  prompt: Prompt,
  question: string,
  choices: readonly (readonly [label: string, value: T])[],
): Promise<readonly T[]> {
  const list = choices.map(([label], i) => `  ${i + 1}) ${label}\n`).join("");
  for (;;) {
    const answer = await prompt.ask(`${question}\n${list}Numbers, separated by spaces: `);
    if (answer === undefined) throw noAnswer();
    const words = answer.split(/[\s,]+/).filter((it) => it !== "");
    const chosen = words.map((it) => (/^\d+$/.test(it) ? choices[Number(it) - 1] : undefined));
    if (chosen.every((it) => it !== undefined)) {
      return [...new Set(chosen.map(([, value]) => value))];
    }
  }
}

function noAnswer(): BootcError {
  return new BootcError("a question was not answered", {
    kind: "usage",
    hint: "run it on a terminal, or give one line of standard input for each question",
  });
}
