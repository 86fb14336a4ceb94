// Judges the state in which a power cut left a disk, from what was found on it.
import type { BootFiles } from "./images.ts";
import type { DeploymentFacts, EntryFacts, LoaderEntry } from "./system-facts.ts";

/** One of the two systems between which a recording goes. */
export interface KnownSystem extends DeploymentFacts, BootFiles {
  readonly version: string;
  /** Its `/etc` and its origin later, where the recording changes them. */
  readonly laterEtc?: string;
  readonly laterOrigin?: string;
}

export const SIDES = ["old", "new"] as const;
export type Side = (typeof SIDES)[number];

export interface Expectation {
  readonly old: KnownSystem;
  readonly new: KnownSystem;
  /** Older ones, which may be listed. */
  readonly others: readonly KnownSystem[];
  /** Which of the two may be the default. */
  readonly allowed: readonly Side[];
  /** The file system could not be mounted without a repair, so what a boot loader finds before that is of no use. */
  readonly isRepaired: boolean;
  /** What `/boot` has of the update that comes next. */
  readonly next: BootFiles;
}

/** The outcome of a program: empty when all was well, else what it said. */
type Complaint = string;

export interface StateFacts extends MountedFacts {
  /** What a boot loader finds that does not replay journals, or why it finds nothing. */
  readonly loader: readonly LoaderEntry[] | Complaint;
}

/** What is found once the file systems are mounted. */
export interface MountedFacts {
  /** The links to deployments, as `ostree=` names them, and why what they name is not a directory. */
  readonly targets: Readonly<Record<string, Complaint>>;
  /** The entries once the file systems are mounted, or why they cannot be. */
  readonly entries: readonly EntryFacts[] | Complaint;
  readonly marks: Complaint;
  readonly fsck: Complaint;
  /** What `bootc status` says is booted in the default. */
  readonly booted: { readonly version: string; readonly commit: string } | Complaint;
  /** The update in the default and the shutdown after it, the entries then, and fsck. */
  readonly upgrade: Complaint;
  readonly next: readonly EntryFacts[] | Complaint;
  readonly fsckNext: Complaint;
}

export interface Verdict {
  readonly booted: Side | "none";
  readonly problems: readonly string[];
  /** Of a boot loader that does not replay journals. */
  readonly loader: readonly string[];
}

/** Judges what each boot entry leads to, and finds which system is the default. */
export function judgeEntries(
  entries: readonly EntryFacts[],
  wanted: Expectation,
): { readonly side: Side | undefined; readonly problems: readonly string[] } {
  const first = entries[0];
  const side = first === undefined ? undefined : sideOf(first, wanted);
  const problems = [
    ...judgeDefault(side, wanted),
    ...entries.flatMap((it) => judgeEntry(it, wanted)),
  ];
  return { side, problems };
}

export function judgeState(facts: StateFacts, wanted: Expectation): Verdict {
  const { entries } = facts;
  if (typeof entries === "string") return { booted: "none", problems: [entries], loader: [] };
  const { side, problems } = judgeEntries(entries, wanted);
  return {
    booted: side ?? "none",
    loader: judgeLoader(facts, wanted),
    problems: [
      ...problems,
      ...complain("/etc or /var", facts.marks),
      ...complain("ostree fsck", facts.fsck),
      ...judgeStatus(facts.booted, side, wanted),
      ...complain("the next upgrade", facts.upgrade),
      ...judgeNext(facts, wanted),
      ...complain("ostree fsck after the next upgrade", facts.fsckNext),
    ],
  };
}

export function complain(what: string, said: Complaint): readonly string[] {
  return said === "" ? [] : [`${what}: ${said}`];
}

function sideOf(entry: DeploymentFacts, wanted: Expectation): Side | undefined {
  return SIDES.find((it) => wanted[it].deployment === entry.deployment);
}

function judgeDefault(side: Side | undefined, wanted: Expectation): readonly string[] {
  if (side === undefined) return ["nothing known is the default"];
  const { deployment } = wanted[side];
  const isAllowed = wanted.allowed.some((it) => wanted[it].deployment === deployment);
  return isAllowed ? [] : [`the default is ${side}`];
}

const PARTS = ["kernel", "initramfs", "tree", "etc", "origin"] as const;

function judgeEntry(entry: EntryFacts, wanted: Expectation): readonly string[] {
  const known = [wanted.old, wanted.new, ...wanted.others];
  const system = known.find((it) => it.deployment === entry.deployment);
  if (system === undefined) return [`${entry.file} boots ${entry.deployment || "nothing"}`];
  const later = { etc: system.laterEtc, origin: system.laterOrigin };
  const isRight = (it: (typeof PARTS)[number]) =>
    entry[it] === system[it] || (it in later && entry[it] === later[it as keyof typeof later]);
  return PARTS.filter((it) => !isRight(it)).map(
    (it) => `${entry.file} (version ${system.version}): ${it} is ${entry[it]}`,
  );
}

/** Its default may differ from the one after the replay, but has to boot as well. */
function judgeLoader({ loader, targets }: StateFacts, wanted: Expectation): readonly string[] {
  if (wanted.isRepaired) return [];
  if (typeof loader === "string") return [`the boot loader: ${loader}`];
  const [first] = loader;
  if (first === undefined) return ["the boot loader finds no entry"];
  const isWhole = SIDES.some(
    (it) => wanted[it].kernel === first.kernel && wanted[it].initramfs === first.initramfs,
  );
  return [
    ...(isWhole ? [] : [`the boot loader: ${first.file}: ${first.kernel}, ${first.initramfs}`]),
    ...complain("the boot loader's default", targets[first.target] ?? "its link does not exist"),
  ];
}

/** What boots after the next update. */
export function judgeNext(
  { upgrade, next }: Pick<StateFacts, "upgrade" | "next">,
  wanted: Pick<Expectation, "next">,
): readonly string[] {
  if (upgrade !== "") return [];
  if (typeof next === "string") return [`after the next upgrade: ${next}`];
  const [first] = next;
  const isWhole =
    first !== undefined &&
    first.kernel === wanted.next.kernel &&
    first.initramfs === wanted.next.initramfs &&
    first.tree !== "";
  return isWhole ? [] : [`the next upgrade does not boot, but ${first?.deployment ?? "nothing"}`];
}

/** What `bootc status --json` says is booted, or why that cannot be told. */
export function parseBooted(text: string): StateFacts["booted"] {
  try {
    const booted = JSON.parse(text).status?.booted;
    if (booted == null) return "nothing is booted";
    return { version: booted.image?.version ?? "none", commit: booted.ostree?.checksum ?? "none" };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return `it printed ${text.slice(0, 500)}`;
  }
}

/** It has to name `side`. */
export function judgeStatus(
  booted: StateFacts["booted"],
  side: Side | undefined,
  wanted: Expectation,
): readonly string[] {
  if (typeof booted === "string") return [`bootc status: ${booted}`];
  if (side === undefined) return [];
  const { version, deployment } = wanted[side];
  const isRight = booted.version === version && deployment.startsWith(`${booted.commit}.`);
  return isRight ? [] : [`bootc status says ${booted.version}, ${booted.commit}`];
}
