#!/bin/sh
# Renders the page once, then serves it. Names of branches are anyone's, so they are escaped.
set -eu

escaped() { printf '%s' "$1" | sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/"/\&quot;/g'; }
# The same for the right-hand side of sed's `s|…|…|`.
value() { escaped "$1" | sed -e 's/[\\&|]/\\&/g'; }

goods() {
    wget -q -O - "$STOCK_URL/goods.txt" | while IFS=';' read -r picture name price; do
        printf '<li><span class="picture">%s</span><b>%s</b><span>%s</span></li>\n' \
            "$(escaped "$picture")" "$(escaped "$name")" "$(escaped "$price")"
    done
}

goods >goods.html
mkdir -p public
cp style.css theme.css public/
commit=$(printf '%.7s' "${REVIEEE_COMMIT-unknown}")
sed -e '/@GOODS@/{' -e 'r goods.html' -e 'd' -e '}' \
    -e "s|@SHOP@|$(value "${SHOP_NAME-Shop}")|g" \
    -e "s|@HEADLINE@|$(value "$(cat headline.txt)")|g" \
    -e "s|@BRANCH@|$(value "${BRANCH-none}")|g" \
    -e "s|@COMMIT@|$(value "$commit")|g" \
    -e "s|@NUMBER@|$(value "${REVIEEE_PR_NUMBER-?}")|g" \
    page.html >public/index.html

exec httpd -f -p "${PORT:-8080}" -h public
