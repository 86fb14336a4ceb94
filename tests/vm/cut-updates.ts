// The updates that are cut. Each takes a while to make, so the next one is made while a machine boots.
import { messageOf } from "../../src/errors.ts";
import type { Phase } from "./cut-journal.ts";
import { forgetVariant, type Lab, pushVariant, retag, statusOf, type Variant } from "./lab.ts";
import type { Machine } from "./machine.ts";

export interface Updates {
  /** The version of the last release. */
  newest(): string;
  /** Starts to make the next update, unless that has begun. */
  prepare(): void;
  /** Makes the next update the one that machines get, and returns its version. */
  release(): Promise<string>;
  /** Waits for an update that is being made: the registry must not end before. */
  settle(): Promise<void>;
}

export function makeUpdates(lab: Lab, variant: Required<Variant>): Updates {
  let newest = "none";
  let next: Promise<string> | undefined;
  const begin = () => {
    if (next !== undefined) return next;
    next = pushUpdate(lab, variant);
    // Whoever needs the update learns of the error; until then, nobody waits for it.
    next.catch(() => undefined);
    return next;
  };
  return {
    newest: () => newest,
    prepare: () => void begin(),
    async release() {
      const version = await begin();
      next = undefined;
      await retag(lab, version, "latest");
      newest = version;
      return version;
    },
    async settle() {
      await next?.catch((error: unknown) => {
        process.stderr.write(`the next update cannot be made: ${messageOf(error)}\n`);
      });
    },
  };
}

/** An update that is large enough to interrupt. It has another initramfs, so /boot gets new files as well. */
async function pushUpdate(lab: Lab, variant: Required<Variant>): Promise<string> {
  // Unlike a count, the time is another one when a later run continues with the same disk.
  const number = Math.floor(Date.now() / 1000) % 100_000;
  const version = `cut${number}`;
  await pushVariant(lab, version, {
    files: { ...variant.files, "etc/follows": `${version}\n` },
    lines: [
      ...variant.lines,
      // The kernel ignores zeros after the archive.
      `RUN for it in /usr/lib/modules/*/initramfs.img; do truncate -s +$((4 * ${number})) $it; done`,
      "RUN mkdir /usr/share/many && for i in $(seq 1 1500); do echo $i > /usr/share/many/$i; done",
    ],
  });
  await forgetVariant(lab, version);
  return version;
}

export interface Update {
  /** The version that is booted. */
  readonly old: string;
  /** The version that is cut. */
  readonly version: string;
  readonly isStaged: boolean;
}

/** The update that the last check has staged has yet to be finalized and booted; other phases need a new one. */
export async function chooseUpdate(
  machine: Machine,
  { phase, updates }: { readonly phase: Phase; readonly updates: Updates },
): Promise<Update> {
  const { status } = await statusOf(machine);
  const old = status.booted?.image?.version ?? "none";
  const staged = status.staged?.image?.version ?? undefined;
  if (staged !== undefined && ["finalize", "first-boot"].includes(phase)) {
    return { old, version: staged, isStaged: true };
  }
  return { old, version: await updates.release(), isStaged: false };
}
