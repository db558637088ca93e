{# Parts add up to their total in every row. #}
{% test sums_to(model, parts, total) %}
select
    {{ total }},
    {{ parts | join(', ') }}
from {{ model }}
where {{ total }} is distinct from {{ parts | join(' + ') }}
{% endtest %}
