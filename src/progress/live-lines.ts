// Lines at the end of a terminal that are drawn over again; anything else printed stays above them.
import type { Context } from "../system/context.ts";

export interface LiveLines {
  /** Replaces what is shown. Lines are cut to the terminal's width. */
  draw(lines: readonly string[]): void;
  /** Prints a line above, for good. */
  note(line: string): void;
  /** Takes the live lines away. */
  end(): void;
}

const ESC = "\u001b";

/** Live lines on standard error, which must be a terminal. */
export function createLiveLines(
  ctx: Pick<Context, "terminal">,
  write: (text: string) => void,
): LiveLines {
  let shown: readonly string[] = [];
  const erase = () => (shown.length === 0 ? "" : `${ESC}[${shown.length}A${ESC}[J`);
  const show = (lines: readonly string[]) => lines.map((it) => `${it}\n`).join("");
  return {
    draw(lines) {
      const cut = lines.map((it) => it.slice(0, Math.max(ctx.terminal.columns - 1, 1)));
      // Written in one piece, so that nothing flickers and nothing comes in between.
      write(erase() + show(cut));
      shown = cut;
    },
    note(line) {
      write(`${erase()}${line}\n${show(shown)}`);
    },
    end() {
      write(erase());
      shown = [];
    },
  };
}
