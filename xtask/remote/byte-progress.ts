// Shows the progress of a transfer: a line that is redrawn on a terminal, or a line for every tenth.
import type { Terminal } from "../../src/system/context.ts";

export interface ByteProgress {
  show(doneBytes: number, sizeBytes: number): void;
}

const REDRAW_MS = 100;

export function byteProgress(
  terminal: Terminal,
  note: (line: string) => void,
  what: string,
): ByteProgress {
  return terminal.isStderrTerminal ? redrawnLine(note, what) : everyTenth(note, what);
}

function redrawnLine(note: (line: string) => void, what: string): ByteProgress {
  let isDrawn = false;
  let drawnMs = 0;
  return {
    show(doneBytes, sizeBytes) {
      const isLast = doneBytes >= sizeBytes;
      if (!isLast && Date.now() - drawnMs < REDRAW_MS) return;
      drawnMs = Date.now();
      note(`${isDrawn ? "\u001b[1A\u001b[2K" : ""}${what}: ${describe(doneBytes, sizeBytes)}`);
      isDrawn = true;
    },
  };
}

function everyTenth(note: (line: string) => void, what: string): ByteProgress {
  let said = -1;
  return {
    show(doneBytes, sizeBytes) {
      const tenth = sizeBytes === 0 ? 10 : Math.floor((doneBytes / sizeBytes) * 10);
      // Compares for equality because a new try starts from the beginning.
      if (tenth === said) return;
      said = tenth;
      note(`${what}: ${describe(doneBytes, sizeBytes)}`);
    },
  };
}

function describe(doneBytes: number, sizeBytes: number): string {
  const percent = sizeBytes === 0 ? 100 : Math.floor((doneBytes / sizeBytes) * 100);
  return `${percent}% of ${formatBytes(sizeBytes)}`;
}

/** Formats a size like `51.3 MB`, in decimal units as GitHub and package listings use them. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
