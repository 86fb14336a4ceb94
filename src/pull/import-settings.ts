// How the derived layers of an image are imported: what its base says about paths and labels.
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import type { LayerFilter } from "./import-path.ts";

export interface DerivedSettings {
  readonly filter: LayerFilter;
  /** Give it to `importLayer`; remove it by `release` when all layers are in. */
  readonly selinuxPolicyDir: string | undefined;
  release(): Promise<void>;
}

/**
 * Reads `prepare-root.conf` of the base commit, and checks out its SELinux policy (or, for an image without
 * an ostree base, that of `policyCommit`, on a booted host the booted deployment's commit).
 */
export async function readDerivedSettings(
  _ctx: Context,
  _options: {
    readonly repo: string;
    /** The commit of the image's ostree base; none for an image of derived layers alone. */
    readonly baseCommit?: string | undefined;
    readonly policyCommit?: string | undefined;
  },
): Promise<DerivedSettings> {
  throw new BootcError("derived layers cannot be imported yet");
}
