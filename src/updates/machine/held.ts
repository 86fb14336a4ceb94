// Images that are left out because they did not prove themselves, or because a person said so.
import type { Context } from "../../system/context.ts";
import { withEvent } from "../state.ts";
import { changeState } from "./change-state.ts";
import { readUpdatesState } from "./state-file.ts";
import { REAL_SURROUNDINGS } from "./surroundings.ts";

/** Why an image must not be taken, if it must not. */
export interface Hold {
  readonly why: string;
  readonly isKnown: boolean;
}

export async function readHold(ctx: Context, digest: string): Promise<Hold | undefined> {
  const { state, damage } = await readUpdatesState(ctx, REAL_SURROUNDINGS.now());
  if (damage !== undefined) {
    return { why: `which images are held is not known: ${damage}`, isKnown: false };
  }
  const held = state.held.find((it) => it.digest === digest);
  if (held === undefined) return undefined;
  const reason = held.reason === undefined ? "" : ` because it went back: ${held.reason}`;
  return { why: `\`${digest}\` is held${reason}`, isKnown: true };
}

export async function releaseImage(ctx: Context, digest: string): Promise<void> {
  const nowMs = REAL_SURROUNDINGS.now();
  await changeState(ctx, nowMs, (state) => {
    const held = state.held.filter((it) => it.digest !== digest);
    if (held.length === state.held.length) return state;
    return withEvent({ ...state, held }, { atMs: nowMs, event: "released", text: digest });
  });
}
