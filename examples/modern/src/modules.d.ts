// Files that a rule of wrangler gives to the worker as text.
declare module "*.html" {
  const text: string;
  export default text;
}
