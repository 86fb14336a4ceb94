// `ostree admin undeploy`: drops one deployment.
import { BootcError } from "../../errors.ts";
import { isSameDeployment, type NamedDeployment } from "../../host/deployment.ts";
import type { Context } from "../../system/context.ts";
import { type Changed, changeList } from "./change-list.ts";
import { readDeploymentOrder, requireIndex } from "./deployment-order.ts";

/** What another run would do, for hints. */
export const SECOND_DELETION = "a second deletion might delete another deployment";

/** Drops a deployment that is not booted; `again` as in `ListChange`. */
export async function undeploy(
  ctx: Context,
  deployment: NamedDeployment,
  again: string = SECOND_DELETION,
): Promise<Changed> {
  const before = await readDeploymentOrder(ctx);
  return await changeList(ctx, {
    words: ["undeploy", String(requireIndex(before, deployment))],
    outcome: `\`${deployment.name}\` is deleted`,
    again,
    async judge(rest) {
      const after = await readDeploymentOrder(rest);
      const isLeft = (wanted: NamedDeployment) => after.some((it) => isSameDeployment(it, wanted));
      const others = before.filter((it) => !isSameDeployment(it, deployment));
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

/** Drops the first deployment of a sysroot that is not booted. */
export async function undeployFirst(ctx: Context, sysroot: string): Promise<void> {
  await ctx.run("ostree", ["admin", "undeploy", `--sysroot=${sysroot}`, "0"], { isQuiet: true });
}
