// `ostree admin undeploy`: drops one deployment. It counts deployments, so their order is asked first.
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { type Changed, changeList } from "./change-list.ts";

export interface NamedDeployment {
  readonly stateroot: string;
  /** `COMMIT.SERIAL`. */
  readonly name: string;
}

/** What another run would do, for hints. */
export const SECOND_DELETION = "a second deletion might delete another deployment";

/**
 * Drops a deployment that is not booted. Entries that we cannot read count for ostree, so only its own list
 * says which number a deployment has.
 */
export async function undeploy(ctx: Context, deployment: NamedDeployment): Promise<Changed> {
  const before = await readDeploymentOrder(ctx);
  const index = before.findIndex((it) => isSame(it, deployment));
  if (index < 0) throw new BootcError(`ostree does not list \`${deployment.name}\``);
  return await changeList(ctx, {
    words: ["undeploy", String(index)],
    outcome: `\`${deployment.name}\` is deleted`,
    again: SECOND_DELETION,
    async judge(rest) {
      const after = await readDeploymentOrder(rest);
      const isLeft = (wanted: NamedDeployment) => after.some((it) => isSame(it, wanted));
      const others = before.filter((it) => !isSame(it, deployment));
      if (!others.every(isLeft)) return "odd";
      return isLeft(deployment) ? "unchanged" : "made";
    },
    unwanted: (state, cause) =>
      new BootcError(
        `ostree did not delete \`${deployment.name}\`${state === "odd" ? " alone" : ""}`,
        {
          kind: "integrity",
          cause,
          hint: "`ostree admin status` shows what is left",
          isHintUrgent: true,
        },
      ),
  });
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
