// Lines at the bottom of a terminal that are redrawn in place; other output stays above them.
import { printable, printableLines } from "../printable.ts";
import type { Context } from "../system/context.ts";

export interface LiveLines {
  /** Replaces the live lines. Lines are cut to the terminal's width. */
  draw(lines: readonly string[]): void;
  /** Prints a permanent line above the live lines. */
  note(line: string): void;
  /** Erases the live lines. */
  end(): void;
}

const ESC = "\u001b";

/** Creates live lines on standard error, which must be a terminal. */
export function createLiveLines(
  ctx: Pick<Context, "terminal">,
  write: (text: string) => void,
): LiveLines {
  let shown: readonly string[] = [];
  const erase = () => (shown.length === 0 ? "" : `${ESC}[${shown.length}A${ESC}[J`);
  const show = (lines: readonly string[]) => lines.map((it) => `${it}\n`).join("");
  return {
    draw(lines) {
      const cut = lines.map((it) => printable(it).slice(0, Math.max(ctx.terminal.columns - 1, 1)));
      // One write, so that nothing flickers and no other output comes in between.
      write(erase() + show(cut));
      shown = cut;
    },
    note(line) {
      write(`${erase()}${printableLines(line)}\n${show(shown)}`);
    },
    end() {
      write(erase());
      shown = [];
    },
  };
}
