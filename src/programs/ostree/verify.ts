// Verifies commits with the keys of an ostree remote.
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { failureOf } from "../../system/run.ts";

export interface VerifyRequest {
  readonly repo: string;
  readonly commit: string;
  /** The name of the remote, configured in the repository or in /etc/ostree/remotes.d. */
  readonly remote: string;
}

/**
 * Refuses a commit that none of the remote's keys has signed. ostree checks signatures when it pulls, so
 * this pulls the commit from its own repository; `ostree show` would only print the signatures.
 */
export async function requireSigned(ctx: Context, request: VerifyRequest): Promise<void> {
  const { repo, commit, remote } = request;
  const how = ["--gpg-verify", `--remote=${remote}`, "--commit-metadata-only"];
  try {
    await ctx.run("ostree", ["pull-local", `--repo=${repo}`, ...how, repo, commit], {
      isQuiet: true,
    });
  } catch (cause) {
    const failure = failureOf(cause);
    if (failure?.exitCode === undefined) throw cause;
    const why = failure.stderr.trim().replace(/^error: /, "");
    throw new BootcError(
      `the keys of the ostree remote \`${remote}\` do not vouch for it: ${why}`,
      {
        kind: "policy",
      },
    );
  }
}
