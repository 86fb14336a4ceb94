// The deployment that ostree finalizes at shutdown: /run/ostree/staged-deployment, an `a{sv}`.
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { parseDictionary } from "../ostree/objects.ts";
import type { Context } from "../system/context.ts";
import { exists, readBytesIfAny } from "../system/files.ts";
import type { BootableDeployment } from "./boot-entries.ts";

export interface StagedDeployment extends BootableDeployment {
  readonly isStaged: true;
  /** A shutdown does not apply the deployment, and the staged deployment is lost. */
  readonly isLocked: boolean;
}

const FILE = "run/ostree/staged-deployment";

type Entries = ReturnType<typeof parseDictionary>;

export async function readStagedDeployment(ctx: Context): Promise<StagedDeployment | undefined> {
  const bytes = await readBytesIfAny(join(ctx.root, FILE));
  if (bytes === undefined) return undefined;
  const entries = parseDictionary(bytes);
  const target = variantOf(entries, "target", "a{sv}") as Entries | undefined;
  const [name, stateroot, bootChecksum] = ["name", "osname", "bootcsum"].map(
    (key) => variantOf(target ?? [], key, "s") as string | undefined,
  );
  if (!name || !stateroot || !bootChecksum || !/^[0-9a-f]{64}\.\d+$/.test(name)) {
    throw new BootcError(`\`/${FILE}\` does not name a deployment`, { kind: "integrity" });
  }
  const kargs = variantOf(entries, "kargs", "as") as readonly string[] | undefined;
  return {
    stateroot,
    name,
    bootChecksum,
    options: kargs?.join(" "),
    isStaged: true,
    isLocked:
      variantOf(entries, "locked", "b") === true ||
      (await exists(join(ctx.root, `${FILE}-locked`))),
  };
}

function variantOf(entries: Entries, key: string, type: string): unknown {
  const variant = entries.find(([name]) => name === key)?.[1];
  return variant?.type === type ? variant.value : undefined;
}
