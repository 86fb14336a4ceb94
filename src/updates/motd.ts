// The message of the day: what people who log in should know about automatic updates.
import { formatUntil, type UpdatesStatus } from "./status.ts";

/** Undefined when there is nothing to say. */
export function formatMotd(status: UpdatesStatus): string | undefined {
  const { mistakes, paused, staged, step, blocked, lastFailure } = status;
  const isReady = staged?.applied === true;
  const lines = [
    mistakes.length > 0 &&
      "Automatic updates are stopped by mistakes in their settings: `bootc updates config` lists them.",
    paused && `Automatic updates are paused${formatUntil(paused.until)}: ${paused.reason}`,
    isReady && `An update is ready, and the next reboot applies it: ${staged.digest}`,
    isReady &&
      step === "reboot" &&
      blocked &&
      `This machine does not reboot by itself now: ${blocked.reason}${formatUntil(blocked.until)}`,
    lastFailure && `The last automatic update failed at ${lastFailure.at}: ${lastFailure.message}`,
  ].filter((it) => typeof it === "string");
  return lines.length === 0 ? undefined : `${lines.join("\n")}\n`;
}
