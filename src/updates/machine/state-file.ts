// The file in which automatic updates remember: written whole or not at all, set aside when damaged.
import { mkdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describeError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { readRegularFile, replaceFile } from "../../system/files.ts";
import {
  EMPTY_STATE,
  formatState,
  parseUpdatesState,
  type UpdatesState,
  withEvent,
} from "../state.ts";

const STATE = "var/lib/bootc/updates/state.json";

export interface ReadState {
  readonly state: UpdatesState;
  /** Why the file could not be read. */
  readonly damage: string | undefined;
}

/** The state, for those who only look. A damaged file counts as an empty one, and pauses updates. */
export async function readUpdatesState(ctx: Context, nowMs: number): Promise<ReadState> {
  try {
    const text = await readRegularFile(join(ctx.root, STATE)).catch(ifAbsentText);
    return { state: text === undefined ? EMPTY_STATE : parseUpdatesState(text), damage: undefined };
  } catch (error) {
    const { message } = describeError(error);
    return { state: afterDamage(message, nowMs), damage: message };
  }
}

function ifAbsentText(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}

/** The lists of what is held and paused are lost, so that a person has to look first. */
function afterDamage(message: string, nowMs: number): UpdatesState {
  const reason = `${message}; \`bootc updates resume\` starts anew`;
  const paused = { ...EMPTY_STATE, pause: { sinceMs: nowMs, reason } };
  return withEvent(paused, { atMs: nowMs, event: "damaged", text: message });
}

/** The same for those who change it: a damaged file gets another name, and a note says which. */
export async function takeUpdatesState(ctx: Context, nowMs: number): Promise<ReadState> {
  const found = await readUpdatesState(ctx, nowMs);
  const { state, damage } = found;
  if (damage === undefined) return found;
  const aside = `/${STATE}.damaged-${nowMs}`;
  await rename(join(ctx.root, STATE), join(ctx.root, aside));
  ctx.note(`warning: ${damage}; the file is now \`${aside}\``);
  await writeUpdatesState(ctx, state);
  return found;
}

export async function writeUpdatesState(ctx: Context, state: UpdatesState): Promise<void> {
  const path = join(ctx.root, STATE);
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await replaceFile(path, formatState(state), { mode: 0o644 });
}
