// The podman command that installs an image over the running system.
import type { Context } from "../system/context.ts";
import type { ReinstallRequest } from "./request.ts";

const KEYS = "/bootc_authorized_ssh_keys/root";

export interface InstallCommand extends ReinstallRequest {
  /** The file with the keys for root; undefined for none. */
  readonly keyFile: string | undefined;
  /** The image's bootc can remove the old system at the first boot. */
  readonly hasCleanup: boolean;
}

/** The arguments of podman, in the order that bootc 1.x prints. */
export function formatInstallArgs(
  env: Context["env"],
  { image, keyFile, hasCleanup, usesComposefs }: InstallCommand,
): readonly string[] {
  return [
    ...["run", "--privileged", "--pid=host", "--user=root:root"],
    ...["-v", "/var/lib/containers:/var/lib/containers", "-v", "/dev:/dev"],
    ...["--security-opt", "label=type:unconfined_t", "-v", "/:/target"],
    ...(env.RUST_LOG ? [`--env=RUST_LOG=${env.RUST_LOG}`] : []),
    ...(keyFile === undefined ? [] : ["-v", `${keyFile}:${KEYS}`]),
    image,
    ...["bootc", "install", "to-existing-root", "--acknowledge-destructive", "--skip-fetch-check"],
    ...(usesComposefs ? ["--composefs-backend"] : []),
    ...(hasCleanup ? ["--cleanup"] : []),
    ...(keyFile === undefined ? [] : ["--root-ssh-authorized-keys", KEYS]),
  ];
}
