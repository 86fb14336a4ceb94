// systemd: reboots, and journal records that other programs find by their message ids.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describeError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";

/** Documented for users: a rollback was queued or cancelled. */
export const ROLLBACK_MESSAGE_ID = "26f3b1eb24464d12aa5e7b544a6b5468";
/** An image will be staged. */
export const STAGING_MESSAGE_ID = "8f7a2b1c3d4e5f6a7b8c9d0e1f2a3b4c";
export const UNIFIED_MESSAGE_ID = "1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d";

export interface JournalRecord {
  readonly messageId: string;
  readonly message: string;
  /** The journal requires names in capitals. */
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * Writes a record if there is a journal. The journal takes datagrams on a local socket, which Node cannot
 * send, so logger(1) does. A failure is only noted.
 */
export async function writeJournal(ctx: Context, record: JournalRecord): Promise<void> {
  if (!(await exists(join(ctx.root, "run/systemd/journal/socket")))) return;
  try {
    await ctx.run("logger", ["--journald"], { input: formatRecord(record), isQuiet: true });
  } catch (error) {
    ctx.note(`note: cannot write to the journal: ${describeError(error).message}`);
  }
}

/** Formats one field per line for logger, which does not support values with several lines. */
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

/** `running`, `degraded` when a unit has failed, `starting` and others; `unknown` without systemd. */
export async function readSystemState(ctx: Context): Promise<string> {
  // The status is not 0 for any state but `running`.
  const states = { okStatuses: [0, 1, 2, 3, 4] };
  const said = await ctx.read("systemctl", ["is-system-running"], states);
  return said.trim() === "" ? "unknown" : said.trim();
}

/**
 * Requests a reboot and waits for its signal, so that the caller does not continue meanwhile. If
 * /run/nextroot is prepared, systemd performs a soft reboot. systemd-run makes it outlive our session.
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
    // The signal of the shutdown is the expected end.
    await sleep(day, undefined, { signal: ctx.signal }).catch(() => undefined);
  }
}
