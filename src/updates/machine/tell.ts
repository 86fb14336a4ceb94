// Tells people what automatic updates did, and what they wait for: journal, programs, message of the day.
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describeError } from "../../errors.ts";
import { printableLines } from "../../printable.ts";
import { runHooks } from "../../programs/hook.ts";
import { writeJournal } from "../../programs/systemd.ts";
import type { Context } from "../../system/context.ts";
import { makeDirectories, readFileIfAny, replaceFile } from "../../system/files.ts";
import { EVENTS, formatEvent, isEventName } from "../events.ts";
import { formatMotd } from "../motd.ts";
import type { HistoryEntry } from "../state.ts";
import { formatMoment, type UpdatesStatus } from "../status.ts";

/** Whoever cannot be told must not keep a host from its update: failures are only noted. */
export async function tellEvents(ctx: Context, entries: readonly HistoryEntry[]): Promise<void> {
  for (const { atMs, event, text } of entries) {
    if (!isEventName(event)) continue;
    const { messageId, priority } = EVENTS[event];
    const message = formatEvent(event, text);
    await writeJournal(ctx, {
      messageId,
      message,
      fields: { PRIORITY: `${priority}`, BOOTC_UPDATES_EVENT: event, BOOTC_UPDATES_TEXT: text },
    });
    const document = {
      ...{ apiVersion: "bootc.updates/v1", event, at: formatMoment(atMs) },
      ...{ text, message },
    };
    await runHooks(ctx, event, `${JSON.stringify(document)}\n`);
  }
}

/** Read by pam_motd, and by the consoles of distributions that follow it. */
const MOTD = "run/motd.d/60-bootc-updates";

/** Shows people who log in what they should know, and removes the message when there is nothing. */
export async function updateMotd(ctx: Context, status: UpdatesStatus): Promise<void> {
  const path = join(ctx.root, MOTD);
  const text = formatMotd(status);
  // Messages of servers and names of images are in it.
  const wanted = text === undefined ? undefined : printableLines(text);
  try {
    if ((await readFileIfAny(path)) === wanted) return;
    if (wanted === undefined) return await rm(path, { force: true });
    await makeDirectories(dirname(path), 0o755);
    await replaceFile(path, wanted, { mode: 0o644 });
  } catch (error) {
    ctx.note(`warning: \`/${MOTD}\` cannot be written: ${describeError(error).message}`);
  }
}
