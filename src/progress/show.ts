// Shows the progress of a pull: a bar on a terminal, else a line per stage; and JSON for programs that ask.
import type { Context } from "../system/context.ts";
import { createProgressStream } from "./json.ts";
import { openLinePipe } from "./line-pipe.ts";
import { createLiveLines } from "./live-lines.ts";
import { advanceProgress, NO_PROGRESS, type OnPullEvent, type PullProgress } from "./progress.ts";
import { describeEvent, describeProgress } from "./text.ts";

export interface ShowOptions {
  readonly isQuiet: boolean;
  /** An open descriptor to write the stream of JSON lines to. */
  readonly jsonDescriptor?: number | undefined;
}

export interface ProgressDisplay {
  readonly onEvent: OnPullEvent;
  /** Erases the bar. Must always be called. */
  end(): void;
  /** Does the same, after waiting for the reader of the JSON stream to read everything, but not for long. */
  finish(): Promise<void>;
}

/** How long to wait for the reader of the stream at the end, in milliseconds; the rest is then dropped. */
const LAST_READ_MS = 5000;

/** How often the bar is drawn, in milliseconds. */
const DRAW_MS = 100;
const ROWS = 10;

export function showProgress(ctx: Context, options: ShowOptions): ProgressDisplay {
  let progress = NO_PROGRESS;
  const text = options.isQuiet ? NO_DISPLAY : textDisplay(ctx, () => progress);
  const json = jsonDisplay(ctx, () => progress, options.jsonDescriptor);
  return {
    onEvent(event) {
      progress = advanceProgress(progress, event);
      text.onEvent(event);
      json.onEvent(event);
    },
    end: () => text.end(),
    async finish() {
      text.end();
      await json.finish();
    },
  };
}

type TextDisplay = Pick<ProgressDisplay, "onEvent" | "end">;
type JsonDisplay = Pick<ProgressDisplay, "onEvent" | "finish">;

const NO_DISPLAY: ProgressDisplay = {
  onEvent: () => undefined,
  end: () => undefined,
  finish: async () => undefined,
};

function textDisplay(ctx: Context, now: () => PullProgress): TextDisplay {
  const canRedraw = ctx.terminal.isStderrTerminal && ctx.env.TERM !== "dumb";
  if (canRedraw) return terminalDisplay(ctx, now);
  return {
    onEvent(event) {
      const line = describeEvent(event, now());
      if (line !== undefined) ctx.note(line);
    },
    end: () => undefined,
  };
}

function terminalDisplay(ctx: Context, now: () => PullProgress): TextDisplay {
  const lines = createLiveLines(ctx, (text) => void process.stderr.write(text));
  const rate = createRate();
  const draw = () => {
    const bytesPerSecond = rate.next(now().fetchedBytes, Date.now());
    lines.draw(
      describeProgress(now(), { columns: ctx.terminal.columns, rows: ROWS, bytesPerSecond }),
    );
  };
  const timer = setInterval(draw, DRAW_MS);
  return {
    onEvent(event) {
      // News that the bar cannot show is printed above it.
      const isNews = event.type === "retry" || event.type === "waiting" || event.type === "planned";
      const line = isNews ? describeEvent(event, now()) : undefined;
      if (line !== undefined) lines.note(line);
      if (event.type === "stage") draw();
    },
    end() {
      clearInterval(timer);
      lines.end();
    },
  };
}

/** The rate over the last seconds; older samples say nothing about the remaining time. */
function createRate() {
  const WINDOW_MS = 5000;
  let samples: readonly { readonly bytes: number; readonly atMs: number }[] = [];
  return {
    next(bytes: number, atMs: number): number | undefined {
      samples = [...samples.filter((it) => atMs - it.atMs <= WINDOW_MS), { bytes, atMs }];
      const [first] = samples;
      if (first === undefined || atMs - first.atMs < 1000) return undefined;
      return ((bytes - first.bytes) * 1000) / (atMs - first.atMs);
    },
  };
}

function jsonDisplay(
  ctx: Context,
  now: () => PullProgress,
  descriptor: number | undefined,
): JsonDisplay {
  if (descriptor === undefined) return NO_DISPLAY;
  const stream = createProgressStream();
  // The reader of the stream may go away; the operation itself is more important.
  const onBroken = (error: Error) => ctx.note(`Failed to write to jsonl: ${error.message}`);
  const pipe = openLinePipe(descriptor, { onBroken });
  return {
    onEvent(event) {
      for (const line of stream.next(event, now(), Date.now())) pipe.write(line);
    },
    async finish() {
      const wasRead = await pipe.finish(ctx.signal.aborted ? 0 : LAST_READ_MS);
      if (!wasRead) ctx.note("note: the progress stream was not read to its end");
    },
  };
}
