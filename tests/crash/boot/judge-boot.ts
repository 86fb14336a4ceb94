// Judges what was found when a state was booted.
import {
  complain,
  type Expectation,
  judgeEntries,
  judgeNext,
  judgeStatus,
  parseBooted,
  SIDES,
  type Side,
} from "../judge.ts";
import type { EntryFacts } from "../system-facts.ts";
import type { Section } from "./guest-script.ts";

export interface BootFacts {
  /** The digests of what the boot loader started, or why it started nothing. */
  readonly started: { readonly kernel: string; readonly initramfs: string } | string;
  /** The entries before the boot, once the file systems are mounted, or why they cannot be read. */
  readonly entries: readonly EntryFacts[] | string;
  /** What `ostree fsck` said then. */
  readonly fsck: string;
  /** What the guest answered. */
  readonly sections: ReadonlyMap<string, Section>;
  /** Whether the machine went off by itself. */
  readonly isOff: boolean;
  readonly console: string;
  /** The entries after the next update and its shutdown, or why they cannot be read; undefined without an update. */
  readonly next?: readonly EntryFacts[] | string;
}

export interface BootVerdict {
  /** What the boot loader started. */
  readonly booted: Side | "none";
  readonly problems: readonly string[];
}

export function judgeBoot(facts: BootFacts, wanted: Expectation): BootVerdict {
  const side = startedSide(facts, wanted);
  return {
    booted: side ?? "none",
    problems: [
      ...judgeDisk(facts, wanted),
      ...judgeStarted(facts, side, wanted),
      ...(typeof facts.started === "string" ? [] : judgeRun(facts, side, wanted)),
    ],
  };
}

function startedSide({ started }: BootFacts, wanted: Expectation): Side | undefined {
  if (typeof started === "string") return undefined;
  return SIDES.find(
    (it) => wanted[it].kernel === started.kernel && wanted[it].initramfs === started.initramfs,
  );
}

/** What was there before the boot. */
function judgeDisk({ entries, fsck }: BootFacts, wanted: Expectation): readonly string[] {
  const found = typeof entries === "string" ? [entries] : judgeEntries(entries, wanted).problems;
  return [...found, ...complain("ostree fsck", fsck)];
}

function judgeStarted(
  { started }: BootFacts,
  side: Side | undefined,
  wanted: Expectation,
): readonly string[] {
  if (typeof started === "string") return [`the boot loader: ${started}`];
  if (side === undefined) return ["the boot loader starts neither the old nor the new system"];
  const { deployment } = wanted[side];
  const isAllowed = wanted.allowed.some((it) => wanted[it].deployment === deployment);
  return isAllowed ? [] : [`the boot loader starts ${side}`];
}

const LAST_LINES = 25;

function judgeRun(
  { sections, isOff, console, next }: BootFacts,
  side: Side | undefined,
  wanted: Expectation,
): readonly string[] {
  const failed = (name: string) => {
    const section = sections.get(name);
    if (section === undefined) return "it was not asked";
    return section.status === 0 ? "" : `status ${section.status}: ${section.text.slice(-1000)}`;
  };
  const textOf = (name: string) => sections.get(name)?.text ?? "";
  const upgrade = failed("upgrade");
  const updated = next === undefined ? [] : judgeNext({ upgrade, next }, wanted);
  return [
    ...complain("systemd", failed("running")),
    ...complain("failed units", failed("failed") || textOf("failed")),
    ...judgeStatus(failed("status") || parseBooted(textOf("status")), side, wanted),
    ...complain("/etc or /var", failed("marks")),
    ...(next === undefined ? [] : complain("the next upgrade", upgrade)),
    ...updated,
    ...(isOff ? [] : [`the machine did not go off: ${lastLines(console)}`]),
  ];
}

function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-LAST_LINES).join("\n");
}
