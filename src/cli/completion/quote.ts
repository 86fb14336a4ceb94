// Quotes text for bash and zsh, which agree on single quotes; fish does not.

export function quotePosix(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
