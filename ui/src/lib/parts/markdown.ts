import MarkdownIt from 'markdown-it';

/** Headings of a card are below the heading "Model card" of its panel. */
const HEADING_TAG = 'h4';

/**
 * Renders model cards. HTML, links and images of a card are shown as text, so that a card cannot
 * add anything to the page but headings, paragraphs, lists, tables and code.
 */
const renderer = new MarkdownIt({ html: false, linkify: false }).disable([
  'link',
  'image',
  'autolink',
  'reference',
]);

renderer.core.ruler.push('heading_level', ({ tokens }) => {
  const headings = tokens.filter((token) => /^heading_(open|close)$/.test(token.type));
  headings.forEach((token) => (token.tag = HEADING_TAG));
});
renderer.renderer.rules.table_open = () => '<div class="table-wrap"><table class="table">';
renderer.renderer.rules.table_close = () => '</table></div>';

/** The HTML of a model card. */
export function cardHtml(markdown: string): string {
  return renderer.render(markdown);
}
