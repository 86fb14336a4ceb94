// Images that are left out because they did not prove themselves, or because a person said so.
import type { Context } from "../../system/context.ts";
import { type HeldImage, withEvent } from "../state.ts";
import { changeState } from "./change-state.ts";
import { readUpdatesState } from "./state-file.ts";
import { REAL_SURROUNDINGS } from "./surroundings.ts";

export async function readHeldImage(ctx: Context, digest: string): Promise<HeldImage | undefined> {
  const { state } = await readUpdatesState(ctx, REAL_SURROUNDINGS.now());
  return state.held.find((it) => it.digest === digest);
}

export async function releaseImage(ctx: Context, digest: string): Promise<void> {
  const nowMs = REAL_SURROUNDINGS.now();
  await changeState(ctx, nowMs, (state) => {
    const held = state.held.filter((it) => it.digest !== digest);
    if (held.length === state.held.length) return state;
    return withEvent({ ...state, held }, { atMs: nowMs, event: "released", text: digest });
  });
}
