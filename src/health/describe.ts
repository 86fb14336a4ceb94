// What people read about the health of this host: in the status, and when they log in.
import { printable } from "../printable.ts";
import type { HealthRecord } from "../updates/state.ts";
import { formatMoment } from "../updates/status.ts";

/** One line. */
export function describeHealth({
  outcome,
  atMs,
  digest,
  version,
  ...record
}: HealthRecord): string {
  const reason = printable(record.reason);
  const image = printable([version, digest].filter(Boolean).join(" ")) || "an unknown image";
  const when = formatMoment(atMs);
  switch (outcome) {
    case "went-back":
      return `the update to ${image} was undone at ${when}: ${reason}`;
    case "both-bad":
      return `the update to ${image} was undone at ${when}; the previous system fails as well: ${reason}`;
    case "stuck":
      return `${image} is not healthy, and going back failed at ${when}: ${reason}`;
    case "unhealthy":
      return `this system, ${image}, was not healthy at ${when}: ${reason}`;
  }
}

/** The fragment for `motd`. */
export function formatHealthMotd(record: HealthRecord): string {
  const more = "`bootc updates status` says more";
  const hint =
    record.outcome === "went-back" || record.outcome === "both-bad"
      ? `${more}; \`bootc updates release\` lets automatic updates have the image again`
      : more;
  return `bootc: ${describeHealth(record)}\n       ${hint}\n`;
}
