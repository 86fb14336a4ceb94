// Draws the states of automatic updates from what the code says is due, for the page about them.
import { dueStep } from "../src/updates/decide.ts";
import { EMPTY_STATE, type UpdateStep } from "../src/updates/state.ts";

interface Stand {
  readonly wanted: string | undefined;
  readonly staged: { readonly digest: string; readonly isLocked: boolean } | undefined;
}

const RUNNING = "running";
/** More images one after the other would not add anything. */
const IMAGES_MAX = 3;

/** The same stands look the same, whatever the images are called. */
function nameStand({ wanted, staged }: Stand): string {
  if (staged === undefined) return wanted === undefined ? "current" : "found";
  const isNewest = wanted === undefined || wanted === staged.digest;
  if (staged.isLocked) return isNewest ? "downloaded" : "downloaded_but_outdated";
  return isNewest ? "ready" : "ready_but_outdated";
}

/** What a step makes of a stand. */
function takeStep({ wanted, staged }: Stand, step: UpdateStep): Stand {
  switch (step) {
    case "check":
      return { wanted, staged };
    case "download":
      return { wanted, staged: { digest: wanted ?? "", isLocked: true } };
    case "finalize":
      return { wanted, staged: { digest: staged?.digest ?? "", isLocked: false } };
    case "reboot":
      return { wanted: undefined, staged: undefined };
  }
}

/** What happens without a step of ours: a check finds an image, a person stages or reboots. */
function happenings({ wanted, staged }: Stand): readonly (readonly [string, Stand])[] {
  const knowsNewest = staged !== undefined || wanted === undefined;
  const found = `${wanted ?? staged?.digest ?? "an image"}, newer`;
  return [
    ...(knowsNewest && found.split(", newer").length <= IMAGES_MAX
      ? [["a check finds an image", { wanted: found, staged }] as const]
      : []),
    ...(staged === undefined && wanted === undefined
      ? [
          [
            "bootc upgrade by hand",
            { wanted, staged: { digest: "by hand", isLocked: false } },
          ] as const,
        ]
      : []),
    ...(staged?.isLocked
      ? [["a reboot by hand drops it", { wanted, staged: undefined }] as const]
      : []),
  ];
}

/** A diagram in Mermaid's language. */
export function drawStates(): string {
  const edges = new Set<string>();
  const seen = new Set<string>();
  const open: Stand[] = [{ wanted: undefined, staged: undefined }];
  for (let stand = open.pop(); stand !== undefined; stand = open.pop()) {
    const key = JSON.stringify(stand);
    if (seen.has(key)) continue;
    seen.add(key);
    const state = {
      ...EMPTY_STATE,
      found: stand.wanted === undefined ? undefined : { digest: stand.wanted, annotations: {} },
    };
    const host = { booted: { digest: RUNNING }, staged: stand.staged };
    const step = dueStep({ state, host });
    const ways = [
      ...(step === undefined ? [] : [[step, takeStep(stand, step)] as const]),
      ...happenings(stand),
    ];
    for (const [label, next] of ways) {
      open.push(next);
      edges.add(`  ${nameStand(stand)} --> ${nameStand(next)}: ${label}`);
    }
  }
  return ["stateDiagram-v2", "  [*] --> current", ...[...edges].sort(), ""].join("\n");
}
