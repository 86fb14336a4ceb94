// systemd: reboots, and its journal, for events that other programs wait for by their message id.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describeError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";

/** Promised to users: a rollback, or taking one back, was queued. */
export const ROLLBACK_MESSAGE_ID = "26f3b1eb24464d12aa5e7b544a6b5468";
/** An image is about to be staged. */
export const STAGING_MESSAGE_ID = "8f7a2b1c3d4e5f6a7b8c9d0e1f2a3b4c";

export interface JournalRecord {
  readonly messageId: string;
  readonly message: string;
  /** Names in capitals, as the journal wants them. */
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * Writes a record, where there is a journal. The journal wants datagrams on a local socket, which Node cannot
 * send; logger(1) can. A record that cannot be written is said, but stops nothing.
 */
export async function writeJournal(ctx: Context, record: JournalRecord): Promise<void> {
  if (!(await exists(join(ctx.root, "run/systemd/journal/socket")))) return;
  try {
    await ctx.run("logger", ["--journald"], { input: formatRecord(record), isQuiet: true });
  } catch (error) {
    ctx.note(`note: nothing written to the journal: ${describeError(error).message}`);
  }
}

/** One field per line: logger's form, which has none for values of several lines. */
export function formatRecord({ messageId, message, fields }: JournalRecord): string {
  const all = {
    MESSAGE_ID: messageId,
    MESSAGE: message,
    PRIORITY: "6",
    SYSLOG_IDENTIFIER: "bootc",
    ...fields,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value.replaceAll("\n", " ")}\n`)
    .join("");
}

/**
 * Asks for a reboot and waits to be ended by it, so that the caller does not go on in between. systemd makes
 * it a soft reboot where /run/nextroot is prepared. Through systemd-run, so that it outlives our session.
 */
export async function reboot(ctx: Context): Promise<void> {
  await ctx.run("systemd-run", [
    "--quiet",
    "--",
    "systemctl",
    "reboot",
    "--message=Initiated by bootc",
  ]);
  const day = 24 * 60 * 60 * 1000;
  while (!ctx.signal.aborted) {
    // The shutdown's own signal is how this is meant to end.
    await sleep(day, undefined, { signal: ctx.signal }).catch(() => undefined);
  }
}
