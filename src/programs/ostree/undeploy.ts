// `ostree admin undeploy`: drops one deployment. It counts deployments, so their order is asked first.
import { BootcError, explainError, toError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { cleanupContext } from "../../system/run.ts";
import { cancelSoftReboot } from "./admin.ts";

export interface NamedDeployment {
  readonly stateroot: string;
  /** `COMMIT.SERIAL`. */
  readonly name: string;
}

/**
 * Drops a deployment that is not booted, and cancels a prepared soft reboot, which may lead into it. Entries
 * that we cannot read count for ostree, so only its own list says which number a deployment has. Resolves to
 * what failed after the deletion, which is to be thrown once everybody has been told of the change.
 */
export async function undeploy(
  ctx: Context,
  deployment: NamedDeployment,
): Promise<BootcError | undefined> {
  const before = await readDeploymentOrder(ctx);
  const index = before.findIndex((it) => isSame(it, deployment));
  if (index < 0) throw new BootcError(`ostree does not list \`${deployment.name}\``);
  const failure = await ctx
    .run("ostree", ["admin", "undeploy", String(index)], { isQuiet: true })
    .then(() => undefined, toError);
  await requireGone(cleanupContext(ctx), { before, deployment, failure });
  if (failure !== undefined) noteLeftovers(ctx, failure);
  return await cancelSoftReboot(cleanupContext(ctx)).then(
    () => undefined,
    (cause: unknown) =>
      new BootcError(
        `\`${deployment.name}\` is deleted, but a soft reboot may still lead into it`,
        {
          cause,
          hint: "`ostree admin prepare-soft-reboot --reset` cancels it",
        },
      ),
  );
}

interface Deletion {
  readonly before: readonly NamedDeployment[];
  readonly deployment: NamedDeployment;
  /** ostree also fails when it cannot clean up after the deletion, or is interrupted then. */
  readonly failure: Error | undefined;
}

async function requireGone(ctx: Context, { before, deployment, failure }: Deletion): Promise<void> {
  const after = await readDeploymentOrder(ctx).catch((cause: unknown) => {
    throw (
      failure ??
      new BootcError(`whether ostree has deleted \`${deployment.name}\` is unknown`, {
        cause,
        hint: "`ostree admin status` shows what is left",
      })
    );
  });
  const isLeft = (wanted: NamedDeployment) => after.some((it) => isSame(it, wanted));
  if (failure !== undefined && isLeft(deployment)) throw failure;
  if (before.every((it) => isLeft(it) !== isSame(it, deployment))) return;
  throw new BootcError(`ostree did not delete \`${deployment.name}\` alone`, {
    kind: "integrity",
    hint: "`ostree admin status` shows what is left",
  });
}

function noteLeftovers(ctx: Context, failure: Error): void {
  ctx.note(`note: ostree could not clean up: ${explainError(failure)}`);
}

function isSame(one: NamedDeployment, other: NamedDeployment): boolean {
  return one.name === other.name && one.stateroot === other.stateroot;
}

/** The deployments in the order in which ostree counts them: those of the host, or of another sysroot. */
export async function readDeploymentOrder(
  ctx: Context,
  { sysroot }: { readonly sysroot?: string } = {},
): Promise<readonly NamedDeployment[]> {
  const where = sysroot === undefined ? [] : [`--sysroot=${sysroot}`];
  return parseDeploymentOrder(await ctx.read("ostree", ["admin", "status", ...where]));
}

/** Drops the first deployment of a sysroot that is not booted. */
export async function undeployFirst(ctx: Context, sysroot: string): Promise<void> {
  await ctx.run("ostree", ["admin", "undeploy", `--sysroot=${sysroot}`, "0"], { isQuiet: true });
}

/** Parses lines such as `* default COMMIT.0 (staged)`; details of a deployment are indented more. */
export function parseDeploymentOrder(text: string): readonly NamedDeployment[] {
  return [...text.matchAll(/^(?:\* | {1,2})(\S+) ([0-9a-f]{64}\.\d+)(?: \(.*\))?$/gm)].map(
    ([, stateroot = "", name = ""]) => ({ stateroot, name }),
  );
}
