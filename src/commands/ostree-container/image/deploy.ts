// `ostree container image deploy`: pull an image into a sysroot and deploy it.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lockTimeoutOf, type RepositoryPullFlags, repositoryPullOf } from "../../../cli/options.ts";
import { withHostLock } from "../../../deploy/prepare-write.ts";
import { stage } from "../../../deploy/staging.ts";
import { BootcError } from "../../../errors.ts";
import type { Sysroot } from "../../../host/deployment.ts";
import { describeBootcLabel, requireBootable } from "../../../image/config.ts";
import { platformOf } from "../../../image/platform.ts";
import {
  formatImageReference,
  type OstreeReference,
  parseOstreeReference,
} from "../../../image/reference.ts";
import { parseNamedImage } from "../../../image/registry-name.ts";
import { completeInstall } from "../../../install/complete.ts";
import { formatOrigin } from "../../../ostree/origin.ts";
import { deployTo } from "../../../programs/ostree/admin.ts";
import { plannedImage } from "../../../pull/plan/plan.ts";
import { pullImage } from "../../../pull/pull.ts";
import { removeImages } from "../../../repository/clean/cleanup.ts";
import { withProtection } from "../../../repository/clean/protection.ts";
import { withRepositoryLock } from "../../../repository/lock.ts";
import { readSysroot } from "../../../sysroot/sysroot.ts";
import { isBootedRepository, makeRepositoryWritable } from "../../../sysroot/writable.ts";
import type { Context } from "../../../system/context.ts";
import { requireRoot } from "../../../system/privileges.ts";
import { withPlannedPull } from "../planned-pull.ts";

export interface ImageDeployOptions extends RepositoryPullFlags {
  readonly imgref?: string;
  readonly image?: string;
  readonly transport?: string;
  readonly ostreeRemote?: string;
  readonly enforceContainerSigpolicy?: boolean;
  readonly sysroot: string;
  readonly stateroot?: string;
  readonly targetImgref?: string;
  readonly noImgref?: boolean;
  readonly karg: readonly string[];
  readonly writeCommitidTo?: string;
}

export async function imageDeploy(ctx: Context, options: ImageDeployOptions): Promise<void> {
  const reference = decideReference(options);
  const target =
    options.targetImgref === undefined ? reference : parseOstreeReference(options.targetImgref);
  const repo = join(options.sysroot, "ostree/repo");
  const isBooted = await isBootedRepository(ctx, repo);
  if (isBooted) await requireRoot(ctx);
  await makeRepositoryWritable(ctx, repo);
  const stateroot = decideStateroot(options, isBooted ? await readSysroot(ctx) : undefined);
  const deployment: ImageDeployment = { options, repo, reference, target, stateroot, isBooted };
  // Verbs look at the staged deployment and replace it; the lock keeps them from doing so meanwhile.
  const timeoutMs = lockTimeoutOf(options);
  const commit = isBooted
    ? await withHostLock(ctx, { purpose: "deploying", timeoutMs }, () =>
        pullAndDeploy(ctx, deployment),
      )
    : await pullAndDeploy(ctx, deployment);
  if (options.writeCommitidTo !== undefined) await writeFile(options.writeCommitidTo, commit);
}

interface ImageDeployment {
  readonly options: ImageDeployOptions;
  readonly repo: string;
  readonly reference: OstreeReference;
  /** The image that the deployment will follow. */
  readonly target: OstreeReference;
  readonly stateroot: string;
  /** Whether the sysroot is the running system's. */
  readonly isBooted: boolean;
}

async function pullAndDeploy(ctx: Context, deployment: ImageDeployment): Promise<string> {
  const { options, repo, reference } = deployment;
  const request = { repo, reference, requiresBootable: true, ...repositoryPullOf(options) };
  return await withPlannedPull(ctx, request, async ({ plan, display }) => {
    const warning = describeBootcLabel(plannedImage(plan).config);
    if (warning !== undefined) ctx.note(warning);
    return await withProtection(ctx, repo, async (protection) => {
      const { onEvent } = display;
      const { commit, config } = await pullImage(ctx, plan, { protection, onEvent });
      // The pull checks this only for images that are new to the repository.
      requireBootable(config, platformOf(process.arch));
      onEvent({ type: "stage", stage: "deploying" });
      await withRepositoryLock(ctx, repo, {
        options: { purpose: "deploying", timeoutMs: lockTimeoutOf(options) },
        work: async () => {
          await deploy(ctx, deployment, commit);
          if (options.noImgref) await removeImages(ctx, repo, [formatImageReference(plan.image)]);
        },
      });
      // A staged deployment has no boot entry yet.
      if (!deployment.isBooted) await complete(ctx, deployment);
      return commit;
    });
  });
}

/** The image of `--imgref`, or the one that `--image` and its options describe. */
export function decideReference(options: ImageDeployOptions): OstreeReference {
  if (options.imgref !== undefined && options.image !== undefined) {
    throw new BootcError("--imgref and --image cannot be used together", { kind: "usage" });
  }
  if (options.imgref !== undefined) return parseOstreeReference(options.imgref);
  if (options.image === undefined) {
    throw new BootcError("no image to deploy was given", {
      kind: "usage",
      hint: "use --imgref or --image",
    });
  }
  if (options.ostreeRemote !== undefined && options.enforceContainerSigpolicy) {
    throw new BootcError(
      "--ostree-remote and --enforce-container-sigpolicy cannot be used together",
      {
        kind: "usage",
      },
    );
  }
  const image = parseNamedImage(options.image, options.transport ?? "registry");
  if (options.ostreeRemote !== undefined) {
    return { image, verification: { kind: "remote", remote: options.ostreeRemote } };
  }
  return { image, verification: { kind: options.enforceContainerSigpolicy ? "policy" : "none" } };
}

/** On the `running` system, only a deployment in the booted stateroot boots next. */
export function decideStateroot(
  { stateroot }: Pick<ImageDeployOptions, "stateroot">,
  running: Sysroot | undefined,
): string {
  const booted = running?.deployments.find((it) => it.isBooted);
  return stateroot ?? booted?.stateroot ?? "default";
}

async function deploy(
  ctx: Context,
  { options, target, stateroot, isBooted }: ImageDeployment,
  commit: string,
): Promise<void> {
  const kargs = options.karg.length > 0 ? options.karg : undefined;
  const request = { stateroot, commit, origin: formatOrigin(target), kargs, isLocked: false };
  // Given the path of the booted sysroot, ostree takes it for another one, and breaks what is staged.
  if (isBooted) await stage(ctx, request);
  else await deployTo(ctx, options.sysroot, request);
}

async function complete(ctx: Context, { options, stateroot }: ImageDeployment): Promise<void> {
  const { sysroot } = options;
  await completeInstall(ctx, { sysroot, boot: join(sysroot, "boot"), stateroot });
}
