// What people read about the health of this host: in the status, and when they log in.
import type { HealthRecord } from "../updates/state.ts";
import { formatMoment } from "../updates/status.ts";

/** One line. */
export function describeHealth({ outcome, atMs, digest, version, reason }: HealthRecord): string {
  const image = [version, digest].filter(Boolean).join(" ") || "an unknown image";
  const when = formatMoment(atMs);
  switch (outcome) {
    case "went-back":
      return `the update to ${image} went back at ${when}: ${reason}`;
    case "both-bad":
      return `the update to ${image} went back at ${when}, to a system that is not healthy either: ${reason}`;
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
