// Programs of the image or the administrator that are told about what automatic updates did.
import { explainError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { readDropInPrograms } from "./gate.ts";

/** A program that waits for a mail server must not hold up an update for long. */
const LIMIT_MS = 30_000;

/** Starts each program with the name of the event, and gives it `document`. Failures are only noted. */
export async function runHooks(ctx: Context, event: string, document: string): Promise<void> {
  for (const path of await readDropInPrograms(ctx, "hooks.d")) {
    try {
      const how = { input: document, isQuiet: true, timeoutMs: LIMIT_MS, keepsLocale: true };
      await ctx.run(path, [event], how);
    } catch (error) {
      ctx.signal.throwIfAborted();
      ctx.note(`warning: telling \`${path}\` failed: ${explainError(error)}`);
    }
  }
}
