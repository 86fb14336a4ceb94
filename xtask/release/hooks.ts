// Makes sure that the repository on GitHub has our webhook once, with the newest address.
import { ask, type GitHub } from "./github.ts";

export interface Hook {
  /** Contains the secret, so it must never be printed. */
  readonly url: string;
  /** The beginning of the address, which is the same for every secret. */
  readonly prefix: string;
}

/** Makes the webhook, or gives an existing one the new address; returns which of the two. */
export async function installHook(
  { octokit, repository }: GitHub,
  { url, prefix }: Hook,
): Promise<"made" | "changed"> {
  const config = { url, content_type: "json", insecure_ssl: "0" };
  return await ask("the webhooks of the repository", async () => {
    const hooks = await octokit.paginate(octokit.repos.listWebhooks, {
      ...repository,
      per_page: 100,
    });
    const existing = hooks.find((it) => it.config.url?.startsWith(prefix) === true);
    if (existing === undefined) {
      await octokit.repos.createWebhook({ ...repository, config, events: ["push"], active: true });
      return "made";
    }
    await octokit.repos.updateWebhook({
      ...repository,
      hook_id: existing.id,
      config,
      events: ["push"],
      active: true,
    });
    return "changed";
  });
}
