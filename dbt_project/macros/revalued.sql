{#
Whether values were assigned after this table was last written: decisions and references change months of which nothing
was landed. Values are assigned all at once, and only where something of them has changed.
#}
{% macro revalued() %}
    {%- set query -%}
        select coalesce(max(assigned.snapshot_id) < (select max(held.snapshot_id) from {{ this }} as held), false)
        from {{ source('coding', 'assigned') }} as assigned
    {%- endset -%}
    {{ return(not run_query(query).columns[0][0]) }}
{% endmacro %}
