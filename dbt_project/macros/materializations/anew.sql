{#
Tables are replaced in place: one transaction, one table, no copy under another name that is renamed afterwards. In the
lake's catalog that is a third of the work, and whoever reads meanwhile sees the old table until the new one is whole.
#}
{% macro create_anew(relation, sql) %}
    {% if config.get('contract').enforced %}
        {{ get_assert_columns_equivalent(sql) }}
        create or replace table {{ relation }} {{ get_table_columns_and_constraints() }};
        insert into {{ relation }} by name {{ sql }}
    {% else %}
        create or replace table {{ relation }} as {{ sql }}
    {% endif %}
{% endmacro %}

{% macro drop_if_not(kind) %}
    {% set existing = load_cached_relation(this) %}
    {% if existing is not none and existing.type != kind %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}
{% endmacro %}

{% materialization table, adapter='duckdb' %}
    {% set target = this.incorporate(type='table') %}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% do drop_if_not('table') %}
    {% call statement('main') %}
        {{ create_anew(target, sql) }}
    {% endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {% set target = this.incorporate(type='view') %}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% do drop_if_not('view') %}
    {% call statement('main') %}
        {% if config.get('contract').enforced %}
            {{ get_assert_columns_equivalent(sql) }}
        {% endif %}
        create or replace view {{ target }} as {{ sql }}
    {% endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
