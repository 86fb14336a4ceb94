// What a recording may change in a system that stays. What it changes beyond that is a fault of the recorded program, and
// must not become what the judge expects.
import { digestOf } from "./images.ts";
import type { KnownSystem } from "./judge.ts";
import type { Recording } from "./recordings.ts";
import type { EtcFacts, OriginFacts } from "./system-facts.ts";

export interface Observed {
  readonly before: readonly EtcFacts[];
  readonly after: readonly EtcFacts[];
  /** After each step. */
  readonly origins: readonly OriginFacts[];
}

/** The system with what it has later, which has to be what the recording declares. */
export function withLater(
  system: KnownSystem,
  changes: Recording["changes"],
  observed: Observed,
): KnownSystem {
  const laterEtc = findLaterEtc(system, changes, observed);
  const laterOrigin = findLaterOrigin(system, changes, observed);
  return {
    ...system,
    ...(laterEtc === undefined ? {} : { laterEtc }),
    ...(laterOrigin === undefined ? {} : { laterOrigin }),
  };
}

function findLaterEtc(
  { deployment, version }: KnownSystem,
  changes: Recording["changes"],
  { before, after }: Observed,
): string | undefined {
  const [was, is] = [before, after].map((some) => some.find((it) => it.deployment === deployment));
  if (was === undefined || is === undefined || was.etc === is.etc) return undefined;
  if (changes === "labels" && was.unlabelled === is.unlabelled) return is.etc;
  throw new Error(`the recording has changed /etc of version ${version}`);
}

/** As `bootc` pins what an update supersedes. */
const PIN = "\n[libostree-transient]\npinned=1\nbootc-superseded=true\n";

function findLaterOrigin(
  { deployment, version, origin }: KnownSystem,
  changes: Recording["changes"],
  { origins }: Observed,
): string | undefined {
  const texts = origins.filter((it) => it.deployment === deployment).map((it) => it.text);
  const changed = texts.filter((it) => digestOf(it) !== origin);
  const [text] = changed;
  if (text === undefined) return undefined;
  const pinned = (it: string) => it.endsWith(PIN) && digestOf(it.slice(0, -PIN.length)) === origin;
  if (changes === "pin" && changed.every(pinned)) return digestOf(text);
  throw new Error(`the recording has changed the origin of version ${version} to:\n${text}`);
}
