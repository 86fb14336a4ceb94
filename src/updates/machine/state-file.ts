// The file in which automatic updates remember: written whole or not at all, set aside when damaged.
import { rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describeError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import {
  makeDirectories,
  readNamesIfAny,
  readRegularFile,
  replaceFile,
} from "../../system/files.ts";
import {
  EMPTY_STATE,
  formatState,
  type HealthRecord,
  parseUpdatesState,
  type UpdatesState,
  withEvent,
} from "../state.ts";

const STATE = "var/lib/bootc/updates/state.json";
/** How a damaged state file is named, followed by the time. */
const ASIDE = `${STATE}.damaged-`;
/** Every user may read the state, but what checks and the journal say of a failure is for root. */
const DETAILS = "var/lib/bootc/updates/health-details";

export interface ReadState {
  readonly state: UpdatesState;
  /** Why the file could not be read. */
  readonly damage: string | undefined;
}

/** The state, for those who only look. A damaged file counts as an empty one, and pauses updates. */
export async function readUpdatesState(ctx: Context, nowMs: number): Promise<ReadState> {
  try {
    const text = await readRegularFile(join(ctx.root, STATE)).catch(ifAbsentText);
    if (text === undefined) return { state: EMPTY_STATE, damage: undefined };
    return { state: await withDetails(ctx, parseUpdatesState(text)), damage: undefined };
  } catch (error) {
    const { message } = describeError(error);
    return { state: afterDamage(message, nowMs), damage: message };
  }
}

async function withDetails(ctx: Context, state: UpdatesState): Promise<UpdatesState> {
  const { health } = state;
  if (health === undefined) return state;
  const text = await readRegularFile(join(ctx.root, DETAILS)).catch(ifNotForUs);
  const details = text === undefined ? [] : text.split("\n").filter((it) => it !== "");
  return { ...state, health: { ...health, details } };
}

function ifNotForUs(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "EACCES") return undefined;
  return ifAbsentText(error);
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
  const aside = `/${ASIDE}${nowMs}`;
  await rename(join(ctx.root, STATE), join(ctx.root, aside));
  ctx.note(`warning: ${damage}; the file is now \`${aside}\``);
  await writeUpdatesState(ctx, state);
  return found;
}

/** How many damaged files were set aside, and not removed since. */
export async function countDamagedFiles(ctx: Context): Promise<number> {
  const names = await readNamesIfAny(join(ctx.root, dirname(ASIDE)));
  return names.filter((it) => it.startsWith(basename(ASIDE))).length;
}

export async function writeUpdatesState(ctx: Context, state: UpdatesState): Promise<void> {
  const path = join(ctx.root, STATE);
  await makeDirectories(dirname(path), 0o755);
  const { health } = state;
  if (health === undefined) await rm(join(ctx.root, DETAILS), { force: true });
  else await replaceFile(join(ctx.root, DETAILS), formatDetails(health), { mode: 0o600 });
  const open = health && { ...health, details: [] };
  await replaceFile(path, formatState({ ...state, health: open }), { mode: 0o644 });
}

function formatDetails({ details }: HealthRecord): string {
  return details.map((it) => `${it}\n`).join("");
}
